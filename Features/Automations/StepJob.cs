using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Expressions;

namespace Bellhop.Features.Automations;

/// <summary><c>job</c>: enqueues a job and waits for it; its result is the output, its failure the step's.</summary>
/// <remarks>
/// While it waits, no worker is held: the job carries the next part of the run as its continuation. With <c>wait: false</c> the
/// output is <c>{id}</c> at once, and the run does not learn how the job ends.
/// </remarks>
internal sealed class StepJob(Template with, bool waits, short? maxAttempts, RetryPolicy? retry) : IStepAction
{
    private const int MaxAttempts = 1000;

    public static StepJob? Compile(StepSource source)
    {
        source.Expect(["kind"], ["queue", "args", "wait", "max_attempts"]);
        var kind = source.Literal("kind");
        var queue = source.With.TryGetProperty("queue", out _) ? source.Literal("queue") : JobQueue.Default;
        if (source.Targets?.Jobs.Fault(queue, kind) is { } fault)
        {
            source.Refuse(fault.Code == JobProblems.UnknownQueue.Code ? "queue" : "kind", fault.Code, fault.Message);
        }

        if (source.With.TryGetProperty("args", out var args) && !MayBeObject(args))
        {
            source.Refuse("args", "wrong_type", "args is an object.");
        }

        var waits = Waits(source);
        var maxAttempts = ReadMaxAttempts(source);
        return source.Compile() is { } with ? new StepJob(with, waits, maxAttempts, source.Retry) : null;
    }

    public StepOutcome Take(RunContext context, string stepId)
    {
        var rendered = with.Render(context.Values);
        if (!rendered.Succeeded)
        {
            return StepOutcome.Failed(rendered.Error);
        }

        var kind = Text(rendered.Value, "kind", "");
        var queue = Text(rendered.Value, "queue", JobQueue.Default);
        if (kind is null || queue is null)
        {
            return StepOutcome.Failed(RunError.InvalidJob, "kind and queue must be strings.");
        }

        if (context.Targets.Fault(queue, kind) is { } fault)
        {
            return StepOutcome.Failed(fault.Code, fault.Message);
        }

        var hasArgs = rendered.Value.TryGetProperty("args", out var args) && args.ValueKind != JsonValueKind.Null;
        return hasArgs && args.ValueKind != JsonValueKind.Object
            ? StepOutcome.Failed(RunError.InvalidJob, "args must be an object.")
            : Enqueue(context, queue, kind, hasArgs ? args.GetRawText() : "{}");
    }

    private StepOutcome Enqueue(RunContext context, string queue, string kind, string args)
    {
        var id = Guid.CreateVersion7(context.Now);
        var job = new NewJob
        {
            ProjectId = context.Run.ProjectId,
            Id = id,
            Queue = queue,
            Kind = kind,
            Args = args,
            MaxAttempts = maxAttempts ?? (short?)retry?.MaxAttempts,
            Retry = retry?.ToJson(),
            Continuation = waits ? RunCarrier.Next(context.Run.Id) : null,
            TraceParent = context.Run.TraceParent,
        };
        return waits
            ? new StepOutcome(StepState.Waiting) { Job = job }
            : StepOutcome.Succeeded(RunContext.IdOutput(id)) with
            {
                Job = job,
            };
    }

    private static bool Waits(StepSource source)
    {
        if (!source.With.TryGetProperty("wait", out var wait))
        {
            return true;
        }

        if (wait.ValueKind is not (JsonValueKind.True or JsonValueKind.False))
        {
            source.Refuse("wait", "wrong_type", "wait is true or false.");
        }

        return wait.ValueKind == JsonValueKind.True;
    }

    private static short? ReadMaxAttempts(StepSource source)
    {
        if (!source.With.TryGetProperty("max_attempts", out var written))
        {
            return null;
        }

        if (
            written.ValueKind == JsonValueKind.Number
            && written.TryGetInt16(out var attempts)
            && attempts is >= 1 and <= MaxAttempts
        )
        {
            return attempts;
        }

        source.Refuse("max_attempts", "out_of_range", $"max_attempts is a whole number from 1 to {MaxAttempts}.");
        return null;
    }

    private static bool MayBeObject(JsonElement args) =>
        args.ValueKind is JsonValueKind.Object
        || (args.ValueKind == JsonValueKind.String && args.GetString()!.StartsWith("${", StringComparison.Ordinal));

    private static string? Text(JsonElement rendered, string name, string otherwise) =>
        !rendered.TryGetProperty(name, out var value) ? otherwise
        : value.ValueKind == JsonValueKind.String ? value.GetString()
        : null;
}
