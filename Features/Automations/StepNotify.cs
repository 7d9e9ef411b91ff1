using System.Text.Json;
using Bellhop.Features.Connections;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Expressions;

namespace Bellhop.Features.Automations;

/// <summary><c>notify</c>: sends a mail by an <c>smtp</c> connection, or posts <c>{"text"}</c> to an <c>http</c> connection's base URL.</summary>
internal sealed class StepNotify(Template with, string? connection, RetryPolicy? retry)
    : StepEffect(with, connection, retry)
{
    private static readonly MailCallRules Rules = new();

    public static StepNotify? Compile(StepSource source)
    {
        var isMail =
            source.Literal("connection") is { } name
            && source.Targets?.Connections.GetValueOrDefault(name).Kind == ConnectionKind.Smtp;
        source.Expect(
            isMail ? ["connection", "text", "to", "subject"] : ["connection", "text"],
            isMail ? [] : ["to", "subject"]
        );
        CheckConnection(source, ConnectionKind.Smtp, ConnectionKind.Http);

        return source.Compile(withSecrets: true) is { } with
            ? new StepNotify(with, source.Literal("connection"), source.Retry)
            : null;
    }

    protected override async Task<JobOutcome> SendAsync(
        Effects effects,
        Guid projectId,
        JsonElement rendered,
        string key,
        IReadOnlyCollection<string> secrets,
        CancellationToken cancellationToken
    )
    {
        var (call, refusal) = JobArgs.Read(rendered.GetRawText(), Rules);
        return refusal ?? await effects.Mail.SendAsync(projectId, call!, key, secrets, cancellationToken);
    }
}
