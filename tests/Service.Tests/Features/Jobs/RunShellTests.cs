using System.Diagnostics;
using System.Net;
using System.Runtime.InteropServices;
using System.Text.Json;
using Bellhop.Features.Jobs;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Tests.Support;
using MediatR;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Bellhop.Tests.Features.Jobs;

public sealed class RunShellTests(ServiceFixture service, AllowingService allowing) : IClassFixture<AllowingService>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Where_no_command_is_allowed_the_kind_is_refused_and_the_answer_says_why()
    {
        var project = await service.NewProjectAsync();

        var job = await project.Http.PostAsync("/v1/jobs", """{"kind":"shell","args":{"command":"echo"}}""");
        var automation = await project.Http.PostAsync(
            "/v1/automations",
            """{"name":"a","on":{"type":["a"]},"steps":[{"id":"s","uses":"job","with":{"kind":"shell","args":{"command":"echo"}}}]}"""
        );

        Assert.Equal((HttpStatusCode.UnprocessableEntity, "unknown_kind"), (job.Status, job.Code));
        Assert.Contains("The operator allows no command (Bellhop:Shell:Commands).", job.Text, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.UnprocessableEntity, automation.Status);
        Assert.Contains("The operator allows no command", automation.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_command_reads_what_it_is_given_and_what_it_writes_is_the_result()
    {
        var text = await allowing.RunAsync("""{"command":"cat","stdin":"Zoë\n"}""");
        var json = await allowing.RunAsync("""{"command":"CAT","stdin":{"order":[1042]} }""");
        var words = await allowing.RunAsync("""{"command":"words","args":["a b","$(id)","--x",""]}""");

        Assert.Equal("""{"exit_code":0,"stdout":"Zoë\n","stderr":""}""", Result(text));
        Assert.Equal("""{"exit_code":0,"stdout":"{\"order\":[1042]}","stderr":""}""", Result(json));
        Assert.Equal("[fixed][a b][$(id)][--x][]", Stdout(words));
    }

    [Fact]
    public async Task It_knows_its_job_and_nothing_of_the_service()
    {
        var ended = await allowing.RunAsync("""{"command":"look"}""");

        var said = Stdout(ended).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var environment = said.TakeWhile(line => line != "--").Order(StringComparer.Ordinal).ToArray();
        Assert.Equal(
            ["BELLHOP_ATTEMPT=1", "BELLHOP_CLAIM_NO=1", $"BELLHOP_JOB_ID={ended.GetProperty("id").GetGuid()}"],
            environment.Where(line => line.StartsWith("BELLHOP", StringComparison.Ordinal))
        );
        Assert.Equal(
            ["BELLHOP_ATTEMPT", "BELLHOP_CLAIM_NO", "BELLHOP_JOB_ID", "LANG", "PATH"],
            environment.Select(line => line.Split('=')[0]).Except(["PWD", "OLDPWD", "SHLVL", "_"]) // which sh adds
        );
        var (directory, files) = (said[^2], said[^1]);
        Assert.StartsWith(allowing.State, directory, StringComparison.Ordinal);
        Assert.Equal("mine", files);
        Assert.False(Directory.Exists(directory));
    }

    [Fact]
    public async Task It_inherits_nothing_and_cannot_look_into_the_service()
    {
        var open = await allowing.RunAsync("""{"command":"descriptors"}""");

        Assert.Equal("0\n1\n2\n3\n", Stdout(open)); // the last is the folder that is listed
        Assert.Equal(0, Control(3, 0, 0, 0, 0));
    }

    [Fact]
    public async Task Of_long_outputs_the_beginning_and_the_end_are_kept()
    {
        var ended = await allowing.RunAsync("""{"command":"chatter"}""");

        var stdout = Stdout(ended);
        Assert.StartsWith("first\n", stdout, StringComparison.Ordinal);
        Assert.EndsWith("\nlast\n", stdout, StringComparison.Ordinal);
        Assert.Contains(" bytes left out …]", stdout, StringComparison.Ordinal);
        Assert.InRange(stdout.Length, 8 * 1024, 65 * 1024);
        Assert.Equal(new string('\u0001', 10), ended.GetProperty("result").GetProperty("stderr").GetString()![..10]);
    }

    [Theory]
    [InlineData(1, "exit_code")]
    [InlineData(75, "temporary_failure")]
    public async Task An_exit_code_is_a_failed_attempt_that_is_tried_again(int exitCode, string code)
    {
        var ended = await allowing.RunAsync($$"""{"command":"fail","args":["{{exitCode}}"]}""", attempts: 2);

        Assert.Equal(("failed", 2), (ended.State(), ended.GetProperty("attempt").GetInt32()));
        Assert.Equal(
            (code, $"fail ended with exit code {exitCode}: no such order"),
            (Error(ended, "code"), Error(ended, "message"))
        );
    }

    [Theory]
    [InlineData("""{"command":"nothing"}""", "unknown_command")]
    [InlineData("""{"command":"/bin/sh"}""", "unknown_command")]
    [InlineData("""{"command":"theirs"}""", "unknown_command")]
    [InlineData("""{"command":"cat","args":["/etc/passwd"]}""", "args_not_allowed")]
    [InlineData("""{"command":"gone"}""", "not_started")]
    [InlineData("""{"command":"cat","args":"x"}""", "invalid_args")]
    [InlineData("""{"command":"cat","env":{"LD_PRELOAD":"x"} }""", "invalid_args")]
    [InlineData("""{"command":"cat","timeout_seconds":0}""", "invalid_args")]
    [InlineData("""{}""", "invalid_args")]
    public async Task What_is_not_allowed_is_not_run(string args, string code)
    {
        var ended = await allowing.RunAsync(args, attempts: 5);

        Assert.Equal(("failed", code), (ended.State(), Error(ended, "code")));
        Assert.Equal(1, ended.GetProperty("attempt").GetInt32());
    }

    [Fact]
    public async Task A_command_whose_time_is_over_is_ended_with_its_children()
    {
        var ended = await allowing.RunAsync("""{"command":"linger","args":["61.5"],"timeout_seconds":0.5}""");

        Assert.Equal("timeout", Error(ended, "code"));
        Assert.Empty(ProcessesWith("61.5"));
    }

    [Fact]
    public async Task A_command_that_will_not_end_is_made_to_after_five_seconds()
    {
        var began = Stopwatch.StartNew();
        var ended = await allowing.RunAsync("""{"command":"stubborn","args":["62.5"],"timeout_seconds":0.2}""");

        Assert.Equal("timeout", Error(ended, "code"));
        Assert.InRange(began.Elapsed.TotalSeconds, 5, 15);
        Assert.Empty(ProcessesWith("62.5"));
    }

    [Fact]
    public async Task What_a_command_leaves_behind_ends_with_it_and_holds_nothing_up()
    {
        var began = Stopwatch.StartNew();
        var left = await allowing.RunAsync("""{"command":"leave","args":["63.5"]}""");
        var gone = await allowing.RunAsync("""{"command":"daemon","args":["3"]}"""); // which holds the pipes

        Assert.Equal(("left\n", "left\n"), (Stdout(left), Stdout(gone)));
        Assert.InRange(began.Elapsed.TotalSeconds, 0, 20);
        Assert.Empty(ProcessesWith("63.5"));
    }

    [Fact]
    public async Task A_job_that_is_cancelled_ends_its_command()
    {
        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(Token);
        await using var scope = allowing.Own.Services.CreateAsyncScope();
        scope.ServiceProvider.GetRequiredService<Caller>().Become(Identity.Internal(allowing.Own.ProjectId, "test"));
        var call = new ShellCall("linger", ["64.5"]);
        var running = scope
            .ServiceProvider.GetRequiredService<IMediator>()
            .Send(new RunShell.Command(Guid.CreateVersion7(), 1, 1, call), cancellation.Token);
        await Eventually.BeTrueAsync(() => Task.FromResult(ProcessesWith("64.5").Count == 2), "it runs, and its child");

        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.Empty(ProcessesWith("64.5"));
    }

    [Fact]
    public async Task A_large_input_that_is_not_read_harms_nobody()
    {
        var input = new string('x', 200_000);

        var ended = await allowing.RunAsync($$"""{"command":"words","stdin":"{{input}}"}""");

        Assert.Equal("[fixed]", Stdout(ended));
    }

    [Fact]
    public async Task Viewers_operators_workers_and_who_is_narrowed_run_nothing()
    {
        const string Job = """{"kind":"shell","args":{"command":"cat"}}""";
        var statuses = new List<HttpStatusCode>();
        foreach (var role in (string[])["viewer", "operator", "worker", "developer"])
        {
            using var client = await allowing.NewClientAsync(role);
            statuses.Add((await client.PostAsync("/v1/jobs", Job)).Status);
        }

        var narrowed = await TestUser.CreateAsync(
            allowing.Own.Database,
            allowing.Own.Address,
            allowing.Own.ProjectId,
            "developer",
            new Access { Tags = ["shop"] }
        );
        statuses.Add((await narrowed.Http.PostAsync("/v1/jobs", Job)).Status);

        Assert.Equal(
            [
                HttpStatusCode.Forbidden,
                HttpStatusCode.Forbidden,
                HttpStatusCode.Forbidden,
                HttpStatusCode.Created,
                HttpStatusCode.Forbidden,
            ],
            statuses
        );
    }

    [Fact]
    public async Task What_a_command_prints_is_in_the_log_of_its_job_line_by_line()
    {
        using var http = await allowing.NewClientAsync("developer");

        var said = await allowing.RunAsync("""{"command":"cat","stdin":"Zoë\r\nno end"}""");
        var failed = await allowing.RunAsync("""{"command":"fail","args":["3"]}""");

        Assert.Equal(["info Zoë", "info no end"], await LinesAsync(said));
        Assert.Equal(["warning no such order"], await LinesAsync(failed));

        async Task<string[]> LinesAsync(JsonElement job)
        {
            var page = await http.CallAsync("GET", $"/v1/jobs/{job.GetProperty("id").GetGuid()}/logs");
            return
            [
                .. page.Expect(HttpStatusCode.OK)
                    .Body.GetProperty("items")
                    .EnumerateArray()
                    .Select(line => $"{line.GetProperty("level")} {line.GetProperty("text")}"),
            ];
        }
    }

    private static string Result(JsonElement job) => job.GetProperty("result").GetRawText();

    private static string Stdout(JsonElement job) => job.GetProperty("result").GetProperty("stdout").GetString()!;

    private static string Error(JsonElement job, string member) =>
        job.GetProperty("error").GetProperty(member).GetString()!;

    [DllImport("libc", EntryPoint = "prctl")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Control(int option, nint first, nint second, nint third, nint fourth);

    /// <summary>Those that live and have it as an argument.</summary>
    private static List<string> ProcessesWith(string argument) =>
        [
            .. Directory
                .EnumerateDirectories("/proc")
                .Where(process => char.IsAsciiDigit(Path.GetFileName(process)[0]))
                .Where(process => Arguments(process).Contains(argument, StringComparer.Ordinal)),
        ];

    private static string[] Arguments(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline")).Split('\0');
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return []; // it has ended
        }
    }
}

/// <summary>A service whose operator allows commands.</summary>
public sealed class AllowingService(ServiceFixture service) : IAsyncLifetime
{
    private static readonly Dictionary<string, string> Scripts = new()
    {
        ["words"] = """printf '[%s]' "$@" """,
        ["look"] = """env; echo --; touch mine; pwd; ls""",
        ["chatter"] =
            """echo first; yes 0123456789 2>/dev/null | head -c 3000000; echo; echo last; yes 2>/dev/null | tr 'y\n' '\001' 2>/dev/null | head -c 60000 >&2""",
        ["fail"] = """echo no such order >&2; exit "$1" """,
        ["linger"] = """sleep "$1" & wait""",
        ["stubborn"] = """trap '' TERM; sleep "$1"; sleep "$1" """,
        ["leave"] = """sleep "$1" & echo left""",
        ["daemon"] = """setsid sleep "$1" & echo left""",
    };

    private readonly string _scripts = Directory.CreateTempSubdirectory("bellhop-scripts-").FullName;
    private HttpClient _http = null!;

    public string State { get; } = Directory.CreateTempSubdirectory("bellhop-shell-").FullName;

    public OwnService Own { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        var commands = new Dictionary<string, ShellCommand>(StringComparer.OrdinalIgnoreCase)
        {
            ["cat"] = new("/bin/cat", [], false, []),
            ["theirs"] = new("/bin/cat", [], false, [Guid.CreateVersion7()]),
            ["descriptors"] = new("/bin/ls", ["/proc/self/fd"], false, []),
            ["gone"] = new("/nowhere/at/all", [], false, []),
        };
        foreach (var (name, script) in Scripts)
        {
            var path = Path.Combine(_scripts, name);
            await File.WriteAllTextAsync(path, $"#!/bin/sh\n{script}\n");
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserExecute);
            commands[name] = new ShellCommand(path, name == "words" ? ["fixed"] : [], name != "look", []);
        }

        Own = await OwnService.StartAsync(
            service,
            set: settings => settings with { StateDirectory = State, Shell = commands },
            adjust: builder => builder.Logging.ClearProviders()
        );
        _http = await NewClientAsync("developer");
    }

    public async Task<HttpClient> NewClientAsync(string role)
    {
        var client = new HttpClient { BaseAddress = Own.Address };
        client.DefaultRequestHeaders.Authorization = new("Bearer", await Own.NewKeyAsync(role));
        return client;
    }

    /// <summary>The job as it ended.</summary>
    public async Task<JsonElement> RunAsync(string args, int attempts = 1)
    {
        var made = await _http.PostAsync(
            "/v1/jobs",
            $$"""{"kind":"shell","retry":{"max_attempts":{{attempts}},"strategy":"list","delays_seconds":[0]},"args":{{args}} }"""
        );
        var path = $"/v1/jobs/{made.Expect(HttpStatusCode.Created).Id}";
        return await Eventually.FitAsync(
            async () => (await _http.CallAsync("GET", path)).Expect(HttpStatusCode.OK).Body,
            job => job.State() is "succeeded" or "failed"
        );
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await Own.DisposeAsync();
        Directory.Delete(State, recursive: true);
        Directory.Delete(_scripts, recursive: true);
    }
}
