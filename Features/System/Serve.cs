using System.CommandLine;
using System.Runtime.InteropServices;
using Bellhop.Features.ApiKeys;
using Bellhop.Infrastructure.Background;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.System;

/// <summary>Runs the service until it is told to stop.</summary>
/// <remarks>
/// SIGTERM or Ctrl-C: /health/ready says 503, the drain delay passes while requests are still answered, nothing new is
/// claimed, open requests end, running jobs get their grace, leases are handed back. A second signal cuts all of it short.
/// </remarks>
public static class Serve
{
    public sealed class Verb : CliVerb
    {
        private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

        private readonly Option<string?> _roles = new("--roles") { Description = "a subset of api,worker,scheduler" };

        public Verb()
            : base("serve", "Run the service.") => Add(_roles);

        public override bool IsDefault => true;

        public override async Task<int> RunAsync(CliSession session, CancellationToken cancellationToken)
        {
            if (session.Get(_roles) is { } roles)
            {
                session.Configuration[$"{Settings.Section}:Roles"] = roles;
            }

            using var signals = new StopSignals();
            try
            {
                var settings = session.ReadSettings();
                // the database starts while the service is put together
                var opening = Task.Run(() => session.OpenStorageAsync(settings, Patience, signals.First));
                await using var app = session.Composition.BuildService(settings, opening);
                await using var storage = await opening;
                var firstKey = await FirstKey.EnsureAsync(storage.Databases.Main, settings, signals.First);
                await StartAsync(app, signals.First);
                await GreetAsync(session, app.Services.GetRequiredService<Listeners>(), settings, firstKey);
                var wasTold = await WaitAsync(app.Lifetime, signals.First);
                await StopAsync(session, app, settings, signals.Second);
                return wasTold ? ExitCodes.Done : ExitCodes.Failed;
            }
            catch (Exception exception)
                when (exception is OperationCanceledException or StartException && signals.First.IsCancellationRequested
                )
            {
                // a Ctrl-C in a terminal may have hit a program that was just being started, which then failed
                await TellAsync(session, "Stopped before the start was over.");
                return ExitCodes.Done;
            }
        }

        /// <summary>Waits for a signal; false when the service gave up by itself, after a part of it failed.</summary>
        private static async Task<bool> WaitAsync(IHostApplicationLifetime lifetime, CancellationToken told)
        {
            using var end = CancellationTokenSource.CreateLinkedTokenSource(told, lifetime.ApplicationStopping);
            await Task.Delay(Timeout.Infinite, end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return told.IsCancellationRequested;
        }

        private static async Task StartAsync(WebApplication app, CancellationToken cancellationToken)
        {
            var listeners = app.Services.GetRequiredService<Listeners>();
            try
            {
                listeners.TryBind(); // before anything else starts: the one whose port is taken must not touch a job
                await app.StartAsync(cancellationToken);
            }
            catch (IOException exception) when (listeners.Explain(exception) is { } fault)
            {
                throw fault;
            }
        }

        private static async Task StopAsync(
            CliSession session,
            WebApplication app,
            Settings settings,
            CancellationToken hurry
        )
        {
            app.Services.GetRequiredService<Drain>().Begin();
            await TellAsync(session, "Stopping; once more to stop at once.");
            await Task.Delay(TimeSpan.FromSeconds(settings.DrainDelaySeconds), hurry)
                .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await app.StopAsync(hurry);
        }

        private static Task GreetAsync(CliSession session, Listeners listeners, Settings settings, FirstKey firstKey)
        {
            var lines = new List<string>();
            if (listeners.HasApi)
            {
                var url = settings.PublicUrl ?? listeners.Api.ToString().TrimEnd('/');
                lines.Add($"API            {url}/v1");
                lines.Add($"Docs           {url}/docs");
            }

            lines.Add($"Internal port  {listeners.Internal} (metrics, health/ready)");
            if (firstKey.Path is not null)
            {
                // a terminal belongs to somebody; a log is read by many and kept for long
                var key = Console.IsErrorRedirected ? "" : $": {firstKey.Text}";
                lines.Add($"First key      kept in {firstKey.Path}{key}");
            }

            return TellAsync(session, string.Join('\n', lines));
        }

        /// <summary>Says it, but waits only so long for a reader who has stopped reading: neither start nor stop hangs on him.</summary>
        private static async Task TellAsync(CliSession session, string text) =>
            await Task.WhenAny(Task.Run(() => session.Tell(text)), Task.Delay(TimeSpan.FromMilliseconds(500)));
    }

    /// <summary>The first SIGTERM, SIGINT or SIGQUIT asks for an orderly end, the second for a quick one.</summary>
    private sealed class StopSignals : IDisposable
    {
        private readonly CancellationTokenSource _first = new();
        private readonly CancellationTokenSource _second = new();
        private readonly PosixSignalRegistration[] _registrations;

        public StopSignals() =>
            _registrations = [
                .. new[] { PosixSignal.SIGTERM, PosixSignal.SIGINT, PosixSignal.SIGQUIT }.Select(signal =>
                    PosixSignalRegistration.Create(signal, Take)
                ),
            ];

        public CancellationToken First => _first.Token;

        public CancellationToken Second => _second.Token;

        public void Dispose()
        {
            foreach (var registration in _registrations)
            {
                registration.Dispose();
            }

            _first.Dispose();
            _second.Dispose();
        }

        private void Take(PosixSignalContext context)
        {
            context.Cancel = true; // the runtime's own way is to end at once
            (_first.IsCancellationRequested ? _second : _first).Cancel();
        }
    }
}
