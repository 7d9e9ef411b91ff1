using System.Text.Json;
using System.Text.Json.Serialization;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Connections;

/// <summary>Where an outside system is and how to speak to it; one type for each kind. It holds no secret.</summary>
public abstract record ConnectionConfig
{
    private static readonly JsonSerializerOptions Brief = new(JsonRules.Options)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    /// <summary>Whether a secret belongs to it. Null: it may have one.</summary>
    internal abstract bool? NeedsSecret { get; }

    /// <summary>As it is stored and shown: what the author left out is left out.</summary>
    internal string ToJson() => JsonSerializer.Serialize(this, GetType(), Brief);

    /// <summary>What <see cref="ToJson"/> wrote.</summary>
    internal static ConnectionConfig Read(string kind, string json) =>
        (ConnectionConfig)JsonSerializer.Deserialize(json, TypeOf(kind), JsonRules.Options)!;

    private static Type TypeOf(string kind) =>
        kind switch
        {
            ConnectionKind.Http => typeof(HttpConfig),
            ConnectionKind.PostgreSql or ConnectionKind.MySql => typeof(DatabaseConfig),
            ConnectionKind.Smtp => typeof(SmtpConfig),
            ConnectionKind.S3 => typeof(S3Config),
            ConnectionKind.Llm => typeof(LlmConfig),
            _ => throw new InvalidOperationException($"There is no kind {kind}."),
        };
}

/// <param name="BaseUrl">Paths are appended to it; without query and fragment.</param>
/// <param name="Auth">Null: requests go out without a secret.</param>
/// <param name="Rate">So many requests in so many seconds, for each instance of the service; null: as fast as they come.</param>
/// <param name="AllowedHosts">Hosts beside that of <paramref name="BaseUrl"/> which requests may go to, and the secret with them.</param>
public sealed record HttpConfig(string? BaseUrl, HttpAuth? Auth, RateLimit? Rate, IReadOnlyList<string>? AllowedHosts)
    : ConnectionConfig
{
    internal override bool? NeedsSecret => Auth is not null;
}

/// <summary>How a request shows who sends it. The members beside <paramref name="Type"/> are those of its type.</summary>
/// <param name="Type"><c>header</c>: the secret as the header <paramref name="Name"/>; <c>basic</c>: <paramref name="User"/> and the secret; <c>bearer</c>: the secret is the token; <c>oauth2</c>: the secret is the client's, and tokens are fetched (client credentials).</param>
public sealed record HttpAuth(
    string? Type,
    string? Name,
    string? User,
    string? TokenUrl,
    string? ClientId,
    string? Scope,
    string? Audience
)
{
    public const string Header = "header";
    public const string Basic = "basic";
    public const string Bearer = "bearer";
    public const string OAuth2 = "oauth2";

    public static readonly IReadOnlyList<string> Types = [Header, Basic, Bearer, OAuth2];
}

/// <summary>A PostgreSQL or MySQL database.</summary>
/// <param name="Port">Null: 5432, or 3306.</param>
/// <param name="Tls"><c>verify</c> (null): encrypted, and the certificate is valid for the host; <c>require</c>: encrypted, whoever answers; <c>off</c>: only in networks the operator allows.</param>
public sealed record DatabaseConfig(string? Host, int? Port, string? Database, string? User, string? Tls)
    : ConnectionConfig
{
    public const string Verify = "verify";
    public const string Require = "require";
    public const string Off = "off";

    public static readonly IReadOnlyList<string> TlsModes = [Verify, Require, Off];

    internal override bool? NeedsSecret => true;
}

/// <summary>A mail server that takes messages for delivery.</summary>
/// <param name="Port">Null: 587, with implicit TLS 465.</param>
/// <param name="User">Null: it takes messages without a login.</param>
/// <param name="From">The sender: <c>help@shop.example</c> or <c>Shop &lt;help@shop.example&gt;</c>.</param>
/// <param name="Tls"><c>starttls</c> (null), <c>implicit</c>, or <c>off</c>: only in networks the operator allows.</param>
public sealed record SmtpConfig(string? Host, int? Port, string? User, string? From, string? Tls) : ConnectionConfig
{
    public const string StartTls = "starttls";
    public const string Implicit = "implicit";
    public const string Off = "off";

    public static readonly IReadOnlyList<string> TlsModes = [StartTls, Implicit, Off];

    internal override bool? NeedsSecret => User is not null;

    internal int PortOrUsual => Port ?? (Tls == Implicit ? 465 : 587);
}

/// <summary>A bucket of an S3-compatible store, addressed by path.</summary>
public sealed record S3Config(string? Endpoint, string? Region, string? Bucket, string? AccessKeyId) : ConnectionConfig
{
    internal override bool? NeedsSecret => true;
}

/// <summary>A provider of language models with OpenAI's API.</summary>
/// <param name="BaseUrl">What <c>/models</c> and <c>/chat/completions</c> are below of, such as <c>https://api.openai.com/v1</c>.</param>
public sealed record LlmConfig(string? BaseUrl, string? Model) : ConnectionConfig
{
    internal override bool? NeedsSecret => null;
}
