using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Tests.Features.Jobs.Workers;
using Bellhop.Tests.Support;
using Dapper;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

/// <summary>Does the same to a queue of the service and to its model, and holds the one against the other after each step.</summary>
internal sealed partial class JobModelRun(ServiceFixture service, TestProject project, NpgsqlConnection connection)
{
    private const string Queue = "mail";
    private static readonly string[] Ends = ["succeeded", "finished", "failed"];
    private static readonly string[] Untils = ["start", "finish", "seconds"];
    private static readonly string[] Conflicts = ["keep", "keep", "replace", "reject"];
    private static readonly string?[] Lanes = [null, null, "a", "b"];
    private static readonly string[] Outcomes =
    [
        "succeeded",
        "succeeded",
        "succeeded",
        "failed",
        "failed",
        "snoozed",
        "released",
        "canceled",
    ];

    private readonly JobModel _model = new();
    private readonly List<string> _trace = [];
    private readonly List<(Guid Worker, Guid Key)> _claims = [];
    private readonly TestWorker[] _workers = [new(project.Http, Queue), new(project.Http, Queue)];
    private DateTime _stepBegan;
    private int _dice;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>The steps that only the sweep completed, which finds what nobody was told of.</summary>
    public List<string> Swept { get; } = [];

    public static async Task<JobModelRun> ExecuteAsync(ServiceFixture service, IReadOnlyList<Step> steps)
    {
        var project = await service.NewProjectAsync();
        var made = await project.Http.PutAsJsonAsync($"/v1/queues/{Queue}", new { }, Token);
        Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        await using var connection = await project.Database.OpenConnectionAsync(Token);
        var run = new JobModelRun(service, project, connection);
        try
        {
            foreach (var step in steps)
            {
                await run.TakeAsync(step);
            }

            await run.DrainAsync();
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            throw new InvalidOperationException(
                $"{exception.Message}\nafter {run._trace.Count} steps, the last of them:\n{string.Join('\n', run._trace.TakeLast(150))}",
                exception
            );
        }

        return run;
    }

    private async Task TakeAsync(Step step)
    {
        _dice = step.Dice;
        await StepAsync(() =>
            step.What switch
            {
                Happening.Enqueue => EnqueueAsync(null, false),
                Happening.EnqueueKeyed => EnqueueAsync(
                    new ModelKey($"k{Roll(3)}", Pick(Untils), Pick(Conflicts)),
                    false
                ),
                Happening.EnqueueChild => EnqueueAsync(null, true),
                Happening.Claim => ClaimAsync(Roll(2), Guid.NewGuid(), 1 + Roll(5)),
                Happening.ClaimAgain => ClaimAgainAsync(),
                Happening.Beat => BeatAsync(),
                Happening.Finish => FinishAsync(_model.Leases.Where(lease => lease.EndedAs is null).ToArray()),
                Happening.FinishStale => FinishAsync(_model.Leases.Where(lease => lease.EndedAs is not null).ToArray()),
                Happening.FinishForged => ForgeAsync(),
                Happening.Cancel => CancelAsync(),
                Happening.Retry => ActAsync("retry", AnyJob(isOver: true), _model.Retry),
                Happening.RunNow => ActAsync("run-now", AnyJob(), JobModel.RunNow),
                Happening.Hold => ActAsync("hold", AnyJob(), JobModel.Hold),
                Happening.Free => FreeAsync(),
                Happening.Lose => LoseAsync(),
                Happening.EndGrace => EndGraceAsync(),
                Happening.MissStart => MissStartAsync(),
                Happening.PassTime => PassTimeAsync(
                    AnyOf(_model.Jobs.Values.Where(job => job is { IsOver: false, IsDue: false }))
                ),
                Happening.EndKey => EndKeyAsync(),
                Happening.Pause => PauseAsync(!_model.IsPaused),
                _ => LimitAsync(Roll(4) is var max and > 0 ? max : null, Roll(3)),
            }
        );
    }

    /// <summary>Frees, retries and makes due what is left, and works on it: nothing may be stuck for ever.</summary>
    private async Task DrainAsync()
    {
        await StepAsync(() => PauseAsync(false));
        await StepAsync(() => LimitAsync(null, 0));
        for (var round = 0; _model.Jobs.Values.Any(job => !job.IsOver); round++)
        {
            Assert.True(round < 1_000, "It does not come to an end.");
            _dice = round;
            var open = _model.Jobs.Values.Where(job => !job.IsOver).ToArray();
            if (open.FirstOrDefault(job => job.Lease is { EndedAs: null }) is { } held)
            {
                await StepAsync(() => FinishAsync(held.Lease!, "succeeded", true, null));
            }
            else if (open.FirstOrDefault(job => job.Wait == "held") is { } stopped)
            {
                await StepAsync(() => ActAsync("free", stopped, _model.Free));
            }
            else if (open.FirstOrDefault(job => !job.IsDue) is { } later)
            {
                await StepAsync(() => PassTimeAsync(later));
            }
            else if (open.Any(job => job.State == "ready"))
            {
                await StepAsync(() => ClaimAsync(0, Guid.NewGuid(), 5));
                Assert.True(
                    open.Any(job => job.State is not "ready" and not "waiting"),
                    "Nothing is claimed of what is due."
                );
            }
            else
            {
                // it waits for one that ended otherwise
                await StepAsync(() => ActAsync("cancel", open[0], job => _model.Cancel(job, true)));
            }
        }
    }

    private async Task StepAsync(Func<Task> step)
    {
        _stepBegan = await connection.ExecuteScalarAsync<DateTime>("SELECT clock_timestamp()");
        _model.Undecided.Clear();
        await step();
        _model.Settle();
        await CompareAsync();
    }

    private int Roll(int sides)
    {
        var rolled = _dice % sides;
        _dice /= sides;
        return rolled;
    }

    private T Pick<T>(T[] all) => all[Roll(all.Length)];

    private T? AnyOf<T>(IEnumerable<T> all)
        where T : class => all.ToArray() is { Length: > 0 } some ? some[^(1 + Roll(some.Length))] : null;

    private ModelJob? AnyJob(bool isOver = false) =>
        AnyOf(_model.Jobs.Values.Where(job => job.IsOver == isOver != (Roll(6) == 0))) ?? AnyOf(_model.Jobs.Values);

    private void Note(string what) => _trace.Add($"{_trace.Count} {what}");

    private string Name(Guid id) =>
        _model.Jobs.Keys.TakeWhile(one => one != id).Count() is var place && place < _model.Jobs.Count
            ? $"#{place}"
            : "#new";

    private async Task EnqueueAsync(ModelKey? key, bool isChild)
    {
        var takesPlace = key?.OnConflict == "replace";
        var isLater = Roll(4) == 0;
        var priority = 1 + Roll(4);
        var lane = Pick(Lanes);
        var isHeld = !takesPlace && Roll(8) == 0;
        var maxAttempts = 1 + Roll(3);
        var delay = Roll(2) * 3600;
        var hasStartBefore = !isLater && !takesPlace && Roll(6) == 0;
        ModelJob[] parents = isChild ? [.. new[] { Recent(), Recent() }.OfType<ModelJob>().Distinct()] : [];
        var needs = isChild ? Pick(Ends) : "succeeded";
        var isPatient = isChild && Roll(2) == 0;
        var freed = isChild && Roll(3) == 0 ? AnyOf(_model.Jobs.Values.Where(job => job.Wait == "held")) : null;
        ModelJob[] blocked = freed is null ? [] : [freed];
        var (status, body) = await _workers[0]
            .PostAsync(
                "/v1/jobs",
                new
                {
                    queue = Queue,
                    kind = "letter",
                    priority,
                    run_at = isLater ? JobModel.Later : (DateTime?)null,
                    start_before = hasStartBefore ? JobModel.Later : (DateTime?)null,
                    lane,
                    held = isHeld,
                    max_attempts = maxAttempts,
                    retry = new { initial_seconds = delay, jitter = 0 },
                    unique = key is null
                        ? null
                        : new
                        {
                            key = key.Name,
                            until = key.Until,
                            seconds = key.Until == "seconds" ? 3600 : (int?)null,
                            on_conflict = key.OnConflict,
                        },
                    depends_on = parents.Select(job => job.Id),
                    depends_when = needs,
                    on_parent_failure = isPatient ? "wait" : "cancel",
                    blocks = blocked.Select(job => job.Id),
                }
            );
        var answered = (int)status < 300 ? body.GetProperty("id").GetGuid() : (Guid?)null;
        var asked = new ModelJob
        {
            Id = status == HttpStatusCode.Created ? answered!.Value : Guid.Empty,
            Priority = priority,
            RunAt = isLater ? JobModel.Later : JobModel.Now,
            Lane = lane,
            MaxAttempts = maxAttempts,
            DelaySeconds = delay,
            Key = key,
            Needs = needs,
            IsPatient = isPatient,
            HasStartBefore = hasStartBefore,
        };
        Note(
            $"enqueue #{_model.Jobs.Count}{(isLater ? " later" : "")} priority {priority} lane {lane} {key}{(isHeld ? " held" : "")}"
                + $" attempts {maxAttempts} delay {delay}{(hasStartBefore ? " start_before" : "")} parents"
                + $" [{string.Join(' ', parents.Select(job => Name(job.Id)))}] {needs}{(isPatient ? " patient" : "")} blocks"
                + $" [{string.Join(' ', blocked.Select(job => Name(job.Id)))}]: {(int)status} {Code(body)}"
        );
        var expected = _model.Enqueue(
            asked,
            isHeld,
            [.. parents.Select(job => job.Id)],
            [.. blocked.Select(job => job.Id)]
        );
        Assert.Equal(expected, new ModelAnswer((int)status, Code(body), answered));

        ModelJob? Recent() => AnyOf(_model.Jobs.Values.TakeLast(8));
    }

    private async Task BeatAsync()
    {
        if (AnyOf(_model.Leases.Where(lease => lease.EndedAs is null != (Roll(5) == 0))) is not { } lease)
        {
            return;
        }

        var worker = _workers[
            Roll(5) == 0 ? 0
            : _workers[0].Id == lease.Worker ? 0
            : 1
        ];
        var checkpoint = Roll(2) == 0 ? $"{Roll(1000)}" : null;
        var told = await worker.BeatAsync(
            new
            {
                id = lease.Job.Id,
                lease = lease.Text,
                checkpoint = checkpoint is null ? (JsonElement?)null : JsonElement.Parse(checkpoint),
            }
        );
        var status = Assert.Single(told).GetProperty("status").GetString();
        Note($"beat {Name(lease.Job.Id)} claim {lease.ClaimNo} checkpoint {checkpoint}: {status}");
        Assert.Equal(JobModel.Beat(lease, worker.Id, checkpoint), status);
    }

    private async Task FinishAsync(ModelLease[] leases)
    {
        if (AnyOf(leases) is not { } lease)
        {
            return;
        }

        var isSame = lease.EndedAs is not null and not "lost" && Roll(2) == 0;
        var outcome = isSame ? lease.EndedAs! : Pick(Outcomes);
        await FinishAsync(
            lease,
            outcome,
            Roll(4) > 0,
            Roll(3) switch
            {
                0 => 0,
                1 => 3600,
                _ => null,
            }
        );
    }

    private async Task FinishAsync(ModelLease lease, string outcome, bool isRetryable, int? delay)
    {
        delay ??= outcome == "snoozed" ? 0 : null;
        var (status, body) = await _workers[0]
            .PostAsync(
                "/v1/jobs/finish",
                new
                {
                    jobs = new[]
                    {
                        new
                        {
                            id = lease.Job.Id,
                            lease = lease.Text,
                            outcome,
                            delay_seconds = outcome is "snoozed" or "released" ? delay : null,
                            error = outcome != "failed"
                                ? null
                                : new
                                {
                                    code = "jam",
                                    retryable = isRetryable,
                                    retry_after_seconds = delay,
                                },
                        },
                    },
                }
            );
        Assert.True(status == HttpStatusCode.OK, body.ToString());
        var told = body.GetProperty("results")[0].GetProperty("status").GetString()!;
        Note(
            $"finish {Name(lease.Job.Id)} claim {lease.ClaimNo} ({lease.EndedAs}) {outcome} {isRetryable} {delay}: {told}"
        );
        Assert.Contains(told, _model.Finish(lease, outcome, isRetryable, delay));
    }

    private async Task ForgeAsync()
    {
        if (AnyOf(_model.Running) is not { } job)
        {
            return;
        }

        // jobs of one call may have one lease: it proves the call, and that is the worker's
        var others = _model.Leases.Where(lease => lease.Text != job.Lease!.Text).Select(lease => lease.Text).ToArray();
        var lease = others.Length > 0 && Roll(2) == 0 ? Pick(others) : Convert.ToBase64String(new byte[24]);
        var told = await _workers[0]
            .FinishAsync(
                new
                {
                    id = job.Id,
                    lease,
                    outcome = "succeeded",
                }
            );
        Note($"finish {Name(job.Id)} with a lease that is not its own: {told[0]}");
        Assert.Equal(["lease_lost"], told);
    }

    private Task CancelAsync()
    {
        var force = Roll(3) == 0;
        return ActAsync("cancel", AnyJob(), job => _model.Cancel(job, force), new { force, grace_seconds = 3600 });
    }

    private Task FreeAsync() =>
        ActAsync("free", AnyOf(_model.Jobs.Values.Where(job => job.Wait == "held")) ?? AnyJob(), _model.Free);

    private async Task ActAsync(string act, ModelJob? job, Func<ModelJob, ModelAnswer> model, object? body = null)
    {
        if (job is not null)
        {
            var (status, answer) = await _workers[0].PostAsync($"/v1/jobs/{job.Id}/{act}", body ?? new { });
            Note($"{act} {Name(job.Id)}, which is {job.State} {job.Wait}, {body}: {(int)status} {Code(answer)}");
            Assert.Equal(model(job), new ModelAnswer((int)status, Code(answer)));
        }
    }

    /// <summary>The leases of a worker, or of one job, run out.</summary>
    private async Task LoseAsync()
    {
        var worker = Pick(_workers).Id;
        var lost = _model.Running.Where(job => job.Lease!.Worker == worker).ToArray();
        if (lost.Length > 0 && Roll(2) == 0)
        {
            lost = [Pick(lost)];
        }

        var ids = Array.ConvertAll(lost, job => job.Id);
        Note($"lost: {string.Join(' ', ids.Select(Name))}");
        await ChangeAsync("lease_until = now() - interval '1 second'", "state = 2", ids);
        await service.SendAsync(project.Id, new RescueJobs.Command());
        await service.SendAsync(project.Id, new EndCanceledJobs.Command());
        foreach (var job in lost)
        {
            _model.Lose(job);
        }

        var waits = await connection.QueryAsync<(Guid Id, double Seconds)>(
            """
            SELECT id, extract(epoch FROM run_at - @Began)::float8
            FROM jobs
            WHERE project_id = @ProjectId AND id = ANY (@Ids)
            """,
            new
            {
                Began = _stepBegan,
                ProjectId = project.Id,
                Ids = ids,
            }
        );
        // the duty of another run, which began before, may have found them first
        Assert.All(waits, wait => Assert.InRange(wait.Seconds, (5 * _model.Jobs[wait.Id].Lost) - 1, 60));
        // before it comes true by itself
        await ChangeAsync($"run_at = '{JobModel.Later:O}'", "state = 1", ids);
    }

    private async Task EndGraceAsync()
    {
        if (AnyOf(_model.Running.Where(job => job.IsToBeCanceled)) is { } job)
        {
            Note($"the grace of {Name(job.Id)} is over");
            await ChangeAsync("cancel_by = now()", "state = 2", job.Id);
            await service.SendAsync(project.Id, new EndCanceledJobs.Command());
            _model.EndGrace(job);
        }
    }

    private async Task MissStartAsync()
    {
        if (
            AnyOf(_model.Jobs.Values.Where(job => job is { HasStartBefore: true, IsOver: false, IsLate: false })) is
            { } job
        )
        {
            Note($"{Name(job.Id)} was to start before now");
            await ChangeAsync("start_before = now() - interval '1 second'", "state < 3", job.Id);
            await service.SendAsync(project.Id, new ExpireJobs.Command());
            _model.MissStart(job);
        }
    }

    private async Task PassTimeAsync(ModelJob? job)
    {
        if (job is not null)
        {
            Note($"{Name(job.Id)} is due");
            await ChangeAsync("run_at = now()", "state < 2", job.Id);
            job.RunAt = JobModel.Now;
        }
    }

    private async Task EndKeyAsync()
    {
        if (_model.Keys.Where(key => key.Value.Until == "seconds").Select(key => key.Key).FirstOrDefault() is { } key)
        {
            Note($"the time of {key} is over");
            await connection.ExecuteAsync(
                "UPDATE job_keys SET expires_at = now() - interval '1 second' WHERE project_id = @Id AND key = @Key",
                new { project.Id, Key = key }
            );
            _model.Keys.Remove(key);
        }
    }

    private async Task PauseAsync(bool isPaused)
    {
        Note(isPaused ? "pause" : "resume");
        var path = $"/v1/queues/{Queue}/{(isPaused ? "pause" : "resume")}";
        using var answer = await project.Http.PostAsJsonAsync(path, new { }, Token);
        answer.EnsureSuccessStatusCode();
        _model.IsPaused = isPaused;
    }

    private async Task LimitAsync(int? maxRunning, int lanes)
    {
        Note($"max_running {maxRunning}, {(lanes == 2 ? "lanes in order" : $"lane_limit {lanes}")}");
        (_model.MaxRunning, _model.LaneLimit, _model.IsOrdered) = (
            maxRunning,
            lanes == 1 ? 1 + Roll(2) : null,
            lanes == 2
        );
        using var request = new HttpRequestMessage(HttpMethod.Patch, $"/v1/queues/{Queue}");
        request.Headers.TryAddWithoutValidation("If-Match", "*");
        request.Content = JsonContent.Create(
            new
            {
                max_running = maxRunning,
                lane_limit = _model.LaneLimit,
                lane_ordered = _model.IsOrdered,
            },
            new MediaTypeHeaderValue("application/merge-patch+json")
        );
        using var answer = await project.Http.SendAsync(request, Token);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(Token));
    }

    /// <summary>Time passes: rows are moved, never a clock.</summary>
    private Task<int> ChangeAsync(string change, string guard, params Guid[] ids) =>
        connection.ExecuteAsync(
            $"UPDATE jobs SET {change} WHERE project_id = @ProjectId AND id = ANY (@Ids) AND {guard}",
            new { ProjectId = project.Id, Ids = ids }
        );

    private static string? Code(JsonElement body) =>
        body.TryGetProperty("code", out var code) ? code.GetString() : null;

    private async Task CompareAsync()
    {
        for (var look = 0; ; look++)
        {
            var seen = await ModelSnapshot.TakeAsync(connection, project.Id);
            var difference = seen.CompareTo(_model, _stepBegan);
            if (difference is null)
            {
                break;
            }

            Assert.True(look < 300, difference);
            if (look == 20)
            {
                Swept.Add(_trace[^1]);
                await service.SendAsync(project.Id, new AdmitJobs.Command());
            }

            await Task.Delay(look < 10 ? 2 : 20, Token);
        }

        if (AnyJob(isOver: Roll(2) == 0) is { } job)
        {
            var shown = await TestJobs.GetAsync(project, job.Id);
            Assert.Equal(
                (job.State, job.Wait, job.Reason, job.Attempt, job.IsToBeCanceled, Name(job.Id)),
                (
                    shown.State(),
                    shown.GetProperty("wait_reason").GetString(),
                    shown.GetProperty("reason").GetString(),
                    shown.GetProperty("attempt").GetInt32(),
                    !shown.IsNull("cancel_requested_at"),
                    Name(job.Id)
                )
            );
        }
    }
}
