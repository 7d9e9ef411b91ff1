using System.CommandLine;
using System.Runtime.InteropServices;
using Bellhop.Features.Jobs.Workers.Checking;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Http;
using FluentValidation;
using MediatR;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>Plays the service for a remote worker, anybody's and in any language, and says which rules of the protocol it keeps.</summary>
/// <remarks>
/// It drops answers, cancels, takes jobs away, goes silent and directs, and looks at what the worker does then. It needs neither the
/// service nor a database, and takes about a minute. A rule that is broken is told with what was seen; the others are played all the same.
/// </remarks>
public static class CheckWorker
{
    public sealed class Verb : CliVerb
    {
        private readonly Option<string> _url = new("--url")
        {
            Description = "where the worker will look for the service: an address of this host and a free port",
            DefaultValueFactory = _ => "http://127.0.0.1:8089",
        };
        private readonly Option<int> _patience = new("--patience")
        {
            Description = "for how many seconds it waits for the worker to come",
            DefaultValueFactory = _ => 120,
        };

        public Verb()
            : base("worker check", "Play the service for a worker, and say which rules it keeps.") =>
            Add(_url, _patience);

        public override async Task<int> RunAsync(CliSession session, CancellationToken cancellationToken)
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
            using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
            try
            {
                return await session.SendOfflineAsync(
                    new Query(session.Get(_url)!, session.Get(_patience), session.Tell),
                    response => response.ToText(),
                    response => response.Rules.All(rule => rule.IsKept) ? ExitCodes.Done : ExitCodes.Failed,
                    stop.Token
                );
            }
            catch (OperationCanceledException) when (stop.IsCancellationRequested)
            {
                return ExitCodes.Failed;
            }

            void Stop(PosixSignalContext signal)
            {
                signal.Cancel = true; // the port is given back
                stop.Cancel();
            }
        }
    }

    /// <param name="Tell">Hears where to point the worker, and of each rule as it is played.</param>
    public sealed record Query(string Url, int PatienceSeconds, Action<string> Tell) : IRequest<Result<Response>>;

    public sealed record Response(IReadOnlyList<RuleReport> Rules)
    {
        internal string ToText() =>
            string.Join('\n', Rules.Select(rule => rule.ToText()))
            + $"\n{Rules.Count(rule => rule.IsKept)} of {Rules.Count} rules kept";
    }

    public sealed class Validator : AbstractValidator<Query>
    {
        public Validator()
        {
            RuleFor(query => query.Url)
                .Must(url => Uri.TryCreate(url, UriKind.Absolute, out var parsed) && parsed.Scheme == Uri.UriSchemeHttp)
                .WithMessage("Say an address of this host and a port, such as http://127.0.0.1:8089.");
            RuleFor(query => query.PatienceSeconds).InclusiveBetween(1, 3_600);
        }
    }

    internal sealed class Handler(TimeProvider clock) : IRequestHandler<Query, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Query request, CancellationToken cancellationToken)
        {
            var url = new Uri(request.Url);
            var key = $"check-{Guid.NewGuid():N}";
            var stage = new CheckStage(url, clock);
            try
            {
                await using var server = await CheckServer.StartAsync(url, key, stage, clock, cancellationToken);
                request.Tell(
                    $"Start one worker: BELLHOP_URL={url.AbsoluteUri.TrimEnd('/')} BELLHOP_KEY={key}, queue {CheckStage.Queue}.\n"
                        + """For each job, {"seconds":…,"effect":"…"}, its handler waits so long and calls the URL: """
                        + "deploy/workers/check.sh does."
                );
                return new Response(
                    await new CheckPlay(stage, request.Tell).RunAsync(request.PatienceSeconds, cancellationToken)
                );
            }
            catch (IOException exception)
            {
                return new ProblemCode(503, "port_taken", "").Because(exception.Message);
            }
        }
    }
}
