using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Serialization;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Outgoing;

namespace Bellhop.Features.Connections;

/// <summary>Where an outside system is and how to speak to it; one type for each kind. It holds no secret.</summary>
/// <remarks>What is read may lack what is required until its rules have looked at it.</remarks>
public abstract record ConnectionConfig
{
    /// <summary>Whether a secret belongs to it. Null: it may have one.</summary>
    internal abstract bool? NeedsSecret { get; }

    /// <summary>As it is stored and shown: what the author left out is left out.</summary>
    internal string ToJson() => JsonSerializer.Serialize(this, GetType(), JsonRules.Options);

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

/// <summary>Of the kind <c>http</c>.</summary>
/// <param name="BaseUrl">Paths are appended to it; without query and fragment.</param>
/// <param name="Auth">Null: requests go out without a secret.</param>
/// <param name="Rate">So many requests in so many seconds, for each instance of the service; null: as fast as they come.</param>
/// <param name="AllowedHosts">Hosts beside that of <paramref name="BaseUrl"/> which requests may go to, and the secret with them.</param>
public sealed record HttpConfig(
    [property: MaxLength(AddressPolicy.MaxUrlLength)] string BaseUrl,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] HttpAuth? Auth,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] RateLimit? Rate,
    [property:
        JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull),
        MaxLength(HttpConfig.MaxAllowedHosts),
        Each(AddressPolicy.MaxHostLength)
    ]
        IReadOnlyList<string>? AllowedHosts
) : ConnectionConfig
{
    public const int MaxAllowedHosts = 20;

    internal override bool? NeedsSecret => Auth is not null;
}

/// <summary>How a request shows who sends it. The members beside <paramref name="Type"/> are those of its type.</summary>
/// <param name="Type"><c>header</c>: the secret as the header <paramref name="Name"/>; <c>basic</c>: <paramref name="User"/> and the secret; <c>bearer</c>: the secret is the token; <c>oauth2</c>: the secret is the client's, and tokens are fetched (client credentials).</param>
public sealed record HttpAuth(
    [property: AllowedValues(HttpAuth.Header, HttpAuth.Basic, HttpAuth.Bearer, HttpAuth.OAuth2)] string Type,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(OutgoingHeaders.MaxNameLength)]
        string? Name = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(HttpAuth.MaxLength)]
        string? User = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(AddressPolicy.MaxUrlLength)]
        string? TokenUrl = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(HttpAuth.MaxLength)]
        string? ClientId = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(HttpAuth.MaxLength)]
        string? Scope = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(HttpAuth.MaxLength)]
        string? Audience = null
)
{
    public const string Header = "header";
    public const string Basic = "basic";
    public const string Bearer = "bearer";
    public const string OAuth2 = "oauth2";

    public const int MaxLength = 1000;

    public static readonly IReadOnlyList<string> Types = [Header, Basic, Bearer, OAuth2];
}

/// <summary>Of the kinds <c>postgresql</c> and <c>mysql</c>.</summary>
/// <param name="Port">Null: 5432, or 3306.</param>
/// <param name="Tls"><c>verify</c> (null): encrypted, and the certificate is valid for the host; <c>require</c>: encrypted, whoever answers; <c>off</c>: only in networks the operator allows.</param>
public sealed record DatabaseConfig(
    [property: MaxLength(AddressPolicy.MaxHostLength)] string Host,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), Range(1, ushort.MaxValue)] int? Port,
    [property: MaxLength(DatabaseConfig.MaxLength)] string Database,
    [property: MaxLength(DatabaseConfig.MaxLength)] string User,
    [property:
        JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull),
        AllowedValues(DatabaseConfig.Verify, DatabaseConfig.Require, DatabaseConfig.Off)
    ]
        string? Tls
) : ConnectionConfig
{
    public const string Verify = "verify";
    public const string Require = "require";
    public const string Off = "off";

    public const int MaxLength = 128;

    public static readonly IReadOnlyList<string> TlsModes = [Verify, Require, Off];

    internal override bool? NeedsSecret => true;
}

/// <summary>Of the kind <c>smtp</c>: a mail server that takes messages for delivery.</summary>
/// <param name="Port">Null: 587, with implicit TLS 465.</param>
/// <param name="User">Null: it takes messages without a login.</param>
/// <param name="From">The sender: <c>help@shop.example</c> or <c>Shop &lt;help@shop.example&gt;</c>.</param>
/// <param name="Tls"><c>starttls</c> (null), <c>implicit</c>, or <c>off</c>: only in networks the operator allows.</param>
public sealed record SmtpConfig(
    [property: MaxLength(AddressPolicy.MaxHostLength)] string Host,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), Range(1, ushort.MaxValue)] int? Port,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull), MaxLength(SmtpConfig.MaxUserLength)]
        string? User,
    [property: MaxLength(Mail.MaxAddressLength)] string From,
    [property:
        JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull),
        AllowedValues(SmtpConfig.StartTls, SmtpConfig.Implicit, SmtpConfig.Off)
    ]
        string? Tls
) : ConnectionConfig
{
    public const string StartTls = "starttls";
    public const string Implicit = "implicit";
    public const string Off = "off";

    public const int MaxUserLength = 320;

    public static readonly IReadOnlyList<string> TlsModes = [StartTls, Implicit, Off];

    internal override bool? NeedsSecret => User is not null;

    internal int PortOrUsual => Port ?? (Tls == Implicit ? 465 : 587);
}

/// <summary>Of the kind <c>s3</c>: a bucket of an S3-compatible store, addressed by path.</summary>
public sealed record S3Config(
    [property: MaxLength(AddressPolicy.MaxUrlLength)] string Endpoint,
    [property: MaxLength(S3Config.MaxLength)] string Region,
    [property: Length(3, 63), RegularExpression(S3Config.BucketForm)] string Bucket,
    [property: MaxLength(S3Config.MaxLength)] string AccessKeyId
) : ConnectionConfig
{
    public const int MaxLength = 200;
    public const string BucketForm = "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$";

    internal override bool? NeedsSecret => true;
}

/// <summary>Of the kind <c>llm</c>: a provider of language models with OpenAI's API.</summary>
/// <param name="BaseUrl">What <c>/models</c> and <c>/chat/completions</c> are below of, such as <c>https://api.openai.com/v1</c>.</param>
public sealed record LlmConfig(
    [property: MaxLength(AddressPolicy.MaxUrlLength)] string BaseUrl,
    [property: MaxLength(LlmConfig.MaxLength)] string Model
) : ConnectionConfig
{
    public const int MaxLength = 200;

    internal override bool? NeedsSecret => null;
}
