using System.Collections.Frozen;
using System.Text.RegularExpressions;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Sources;

/// <summary>A webhook as it arrived: nothing of it is understood yet.</summary>
public sealed record InboundRequest(ReadOnlyMemory<byte> Body, IHeaderDictionary Headers);

/// <summary>What a verified webhook says happened.</summary>
/// <param name="Id">The sender's name for it: a repeated one is a duplicate.</param>
/// <param name="Data">JSON text as it was received.</param>
public sealed record InboundEvent(string Type, string Id, DateTime? Time, string? Data);

/// <summary>Why a request was refused.</summary>
/// <param name="Reason">From a closed set: the codes of the problems, or why a signature is bad.</param>
public sealed record Rejection(string Reason, string Detail)
{
    public static Rejection MissingHeader(string name) => new("missing_header", $"The header {name} is required.");

    public static Rejection RepeatedHeader(string name) =>
        new("repeated_header", $"The header {name} stands twice; readers would disagree on which one counts.");

    public static Rejection MalformedHeader(string name, string expected) =>
        new("malformed_header", $"The header {name} must be {expected}.");

    public static readonly Rejection WrongSignature = new(
        "wrong_signature",
        "The signature was not made with this source's secret over these bytes."
    );
}

/// <summary>How a sender signs its webhooks, and what event each of them is.</summary>
/// <remarks>Verification sees raw bytes only; what parses them is called for requests that passed.</remarks>
public abstract partial class WebhookScheme
{
    public const int MaxIdLength = 255;

    public static readonly FrozenDictionary<string, WebhookScheme> All = new WebhookScheme[]
    {
        new GitHubScheme(),
        new StandardWebhooksScheme(),
    }.ToFrozenDictionary(scheme => scheme.Name, StringComparer.Ordinal);

    /// <summary>As sources spell it.</summary>
    public abstract string Name { get; }

    /// <summary>The key of a secret; null where the secret has not the form this scheme's senders use.</summary>
    public abstract byte[]? KeyOf(string secret);

    /// <summary>What form that is, for people.</summary>
    public abstract string SecretForm { get; }

    /// <summary>Why the request is not from a holder of one of the keys; null: it is.</summary>
    public abstract Rejection? Verify(InboundRequest request, IReadOnlyList<byte[]> keys, DateTimeOffset now);

    /// <summary>The event in a request that was verified.</summary>
    public abstract Result<InboundEvent> Read(InboundRequest request);

    /// <summary>The one value of a header.</summary>
    protected static Rejection? Single(InboundRequest request, string header, out string value)
    {
        var values = request.Headers[header];
        value = values.Count == 1 ? values[0]! : "";
        return values.Count switch
        {
            0 => Rejection.MissingHeader(header),
            1 when value.Length > 0 => null,
            1 => Rejection.MissingHeader(header),
            _ => Rejection.RepeatedHeader(header),
        };
    }

    /// <summary>An id that may stand in a signed text without its ends being in doubt.</summary>
    protected static Rejection? Id(InboundRequest request, string header, out string id) =>
        Single(request, header, out id)
        ?? (Sound().IsMatch(id) ? null : Rejection.MalformedHeader(header, "1 to 255 of A-Z, a-z, 0-9, _ and -"));

    /// <summary>It could be read, and is no event.</summary>
    protected static Problem Invalid(FieldError fault) => Problems.Invalid.Because(fault.Message, fault);

    protected static Problem Malformed(FieldError fault) => Problems.MalformedBody.Because(fault.Message, fault);

    [GeneratedRegex(@"^[A-Za-z0-9_-]{1,255}\z")]
    private static partial Regex Sound();
}
