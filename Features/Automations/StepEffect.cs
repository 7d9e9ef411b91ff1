using System.Text.Json;
using System.Text.RegularExpressions;
using Bellhop.Features.Connections;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Expressions;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Automations;

/// <summary>A step whose effect is outside PostgreSQL. A job of its own carries it, and the run waits for that job's end.</summary>
/// <remarks>
/// At least once, with a key that is the same at every attempt. The job holds no more than which step of which run it is: its
/// <c>with</c> is rendered when it is sent, so that the secrets in it are stored nowhere.
/// </remarks>
internal abstract partial class StepEffect(Template with, string? connection, RetryPolicy? retry) : IStepAction
{
    /// <summary>The kind of the job that carries it.</summary>
    public const string JobKind = "automations.effect";

    /// <summary>The name of the connection it sends through.</summary>
    public string? Connection { get; } = connection;

    public IReadOnlyCollection<string> Secrets { get; } = [.. AutomationScope.SecretsIn(with)];

    public StepOutcome Take(RunContext context, string stepId) =>
        new(StepState.Waiting)
        {
            Job = new NewJob
            {
                ProjectId = context.Run.ProjectId,
                Id = Guid.CreateVersion7(context.Now),
                Queue = JobQueue.Default,
                Kind = JobKind,
                Args = JsonSerializer.Serialize(new EffectArgs(context.Run.Id, stepId), JsonRules.Options),
                MaxAttempts = (short?)retry?.MaxAttempts,
                Retry = retry?.ToJson(),
                Continuation = RunCarrier.Next(context.Run.Id),
                TraceParent = context.Run.TraceParent,
            },
        };

    /// <summary>Renders the step's <c>with</c> and has it sent.</summary>
    /// <param name="effects">What sends.</param>
    /// <param name="context">The run as it was when the step was taken.</param>
    /// <param name="key">The same at every attempt.</param>
    /// <param name="secrets">The values of <see cref="Secrets"/>.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public Task<JobOutcome> SendAsync(
        Effects effects,
        RunContext context,
        string key,
        IReadOnlyDictionary<string, string> secrets,
        CancellationToken cancellationToken
    )
    {
        var named = Value.Map([.. secrets.Select(secret => (secret.Key, Value.From(secret.Value)))]);
        var rendered = with.Render([.. context.Values, named]);
        return rendered.Succeeded
            ? SendAsync(effects, context.Run.ProjectId, rendered.Value, key, [.. secrets.Values], cancellationToken)
            : Task.FromResult<JobOutcome>(
                new JobOutcome.Failed(rendered.Error.Code, Tell($"{rendered.Error}", secrets), Retryable: false)
            );
    }

    // an error quotes a name that was computed, and cuts a long one, maybe within a secret
    private static string Tell(string error, IReadOnlyDictionary<string, string> secrets) =>
        secrets.Count == 0 ? error : new Mask(secrets.Values).Apply(CutName().Replace(error, "'***'"));

    [GeneratedRegex("'.*…'", RegexOptions.Singleline)]
    private static partial Regex CutName();

    protected abstract Task<JobOutcome> SendAsync(
        Effects effects,
        Guid projectId,
        JsonElement rendered,
        string key,
        IReadOnlyCollection<string> secrets,
        CancellationToken cancellationToken
    );

    /// <summary>The name of a connection, which no expression may choose: what it is allowed to reach is checked when it is saved.</summary>
    protected static void CheckConnection(StepSource source, params ReadOnlySpan<string> kinds)
    {
        if (!source.With.TryGetProperty("connection", out var written))
        {
            return;
        }

        if (source.Literal("connection") is not { Length: > 0 } name)
        {
            if (written.ValueKind == JsonValueKind.String)
            {
                source.Refuse("connection", "invalid", "connection is a name, never an expression.");
            }
        }
        else if (source.Targets is { } targets && !targets.Connections.ContainsKey(name))
        {
            source.Refuse("connection", "unknown_connection", $"There is no connection {name} in this project.");
        }
        else if (source.Targets?.Connections[name].Kind is { } kind && !kinds.Contains(kind))
        {
            source.Refuse(
                "connection",
                "wrong_connection_kind",
                $"The connection {name} is of kind {kind}; here it is {string.Join(" or ", kinds.ToArray())}."
            );
        }
    }
}

/// <summary>Which step of which run a job carries.</summary>
internal sealed record EffectArgs(Guid RunId, string StepId)
{
    public static EffectArgs Of(ClaimedJob job) => JsonSerializer.Deserialize<EffectArgs>(job.Args, JsonRules.Options)!;
}
