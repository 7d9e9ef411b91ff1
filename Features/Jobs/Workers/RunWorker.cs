using System.CommandLine;
using System.Runtime.InteropServices;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Http;
using FluentValidation;
using MediatR;

namespace Bellhop.Features.Jobs.Workers;

/// <summary>Works on a queue of remote workers by running a program for each job, on any host that reaches the service.</summary>
/// <remarks>
/// The program reads the job's args on its standard input. Exit code 0 is success, and what it wrote is the result where it is JSON; 75
/// puts the job off for a minute; every other one is a failed attempt. SIGTERM ends the programs, releases their jobs and exits with 0.
/// The key comes from the environment, where no list of processes shows it.
/// </remarks>
public static class RunWorker
{
    private const string Key = "BELLHOP_KEY";
    private const string Url = "BELLHOP_URL";

    public sealed class Verb : CliVerb
    {
        private readonly Option<string> _queue = new("--queue")
        {
            Description = "the queue, which workers serve",
            Required = true,
        };
        private readonly Option<int> _slots = new("--slots")
        {
            Description = "how many at once",
            DefaultValueFactory = _ => 1,
        };
        private readonly Option<string?> _url = new("--url")
        {
            Description = $"where the service is; left out: {Url}, or this host's port 8080",
        };
        private readonly Argument<string[]> _command = new("command")
        {
            Description = "after --: what is run, with its arguments",
            Arity = ArgumentArity.OneOrMore,
        };

        public Verb()
            : base("worker exec", $"Run a program for each job of a queue; the key is in {Key}.") =>
            Add(_queue, _slots, _url, _command);

        public override async Task<int> RunAsync(CliSession session, CancellationToken cancellationToken)
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
            using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
            var command = new Command(
                session.Get(_url) ?? Environment.GetEnvironmentVariable(Url) ?? "http://127.0.0.1:8080",
                Environment.GetEnvironmentVariable(Key) ?? "",
                session.Get(_queue)!,
                session.Get(_slots),
                session.Get(_command)!,
                session.Tell
            );
            return await session.SendOfflineAsync(command, _ => "", _ => ExitCodes.Done, stop.Token);

            void Stop(PosixSignalContext signal)
            {
                signal.Cancel = true; // what it holds is released first
                stop.Cancel();
            }
        }
    }

    /// <param name="Tell">Hears what goes wrong meanwhile.</param>
    public sealed record Command(
        string Url,
        string Key,
        string Queue,
        int Slots,
        IReadOnlyList<string> Words,
        Action<string> Tell
    ) : IRequest<Result<Report>>;

    public sealed record Report;

    public sealed class Validator : AbstractValidator<Command>
    {
        private const int MaxSlots = 1_000;

        public Validator()
        {
            RuleFor(command => command.Key).NotEmpty().WithMessage($"Set {RunWorker.Key} to an API key that may work.");
            RuleFor(command => command.Slots).InclusiveBetween(1, MaxSlots);
            RuleFor(command => command.Url)
                .Must(url => Uri.TryCreate(url, UriKind.Absolute, out var parsed) && parsed.Scheme is "http" or "https")
                .WithMessage("Say the URL of the service, such as https://bellhop.example.com.");
            RuleFor(command => command.Words)
                .Must(words => words.Count > 0 && IsThere(words[0]))
                .WithMessage("There is no such program.");
        }

        private static bool IsThere(string program) =>
            program.Contains('/', StringComparison.Ordinal)
                ? File.Exists(program)
                : (Environment.GetEnvironmentVariable("PATH") ?? "")
                    .Split(':', StringSplitOptions.RemoveEmptyEntries)
                    .Any(directory => File.Exists(Path.Combine(directory, program)));
    }

    internal sealed class Handler(TimeProvider clock) : IRequestHandler<Command, Result<Report>>
    {
        public async Task<Result<Report>> Handle(Command request, CancellationToken cancellationToken)
        {
            using var client = new WorkerClient(new Uri(request.Url), request.Key, clock);
            using var worker = new CommandWorker(
                client,
                request.Queue,
                request.Slots,
                request.Words,
                clock,
                request.Tell
            );
            var refusal = await worker.RunAsync(cancellationToken);
            return refusal is null ? new Report() : refusal;
        }
    }
}
