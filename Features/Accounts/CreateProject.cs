using System.CommandLine;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using FluentValidation;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Makes a project: the wall around everything that is put into it.</summary>
public static class CreateProject
{
    public sealed class Verb : CliVerb
    {
        private readonly Option<string> _name = new("--name")
        {
            Description = "lower-case letters, digits and hyphens",
            Required = true,
        };

        public Verb()
            : base("projects create", "Make a project.") => Add(_name);

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(new Command(session.Get(_name)!), made => $"{made.Id} {made.Name}", cancellationToken);
    }

    public sealed record Command(string Name) : IRequest<Result<Response>>;

    public sealed record Response(Guid Id, string Name);

    public sealed class Validator : AbstractValidator<Command>
    {
        public Validator() => RuleFor(command => command.Name).IsSlug();
    }

    internal sealed class Handler(UnitOfWork works, Caller caller, AuditTrail audit, TimeProvider clock)
        : IRequestHandler<Command, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Command command, CancellationToken cancellationToken)
        {
            await using var work = await works.BeginAsync(cancellationToken);
            var id = Guid.CreateVersion7(clock.GetUtcNow());
            if (await Projects.CreateAsync(work.Connection, id, command.Name, cancellationToken) is null)
            {
                return Problems.NameTaken.Because($"There is a project {command.Name} already.");
            }

            await audit.RecordAsync(
                work.Connection,
                [id],
                caller.Actor,
                caller.Id,
                caller.Method,
                new AuditRecord("projects.create", $"projects/{command.Name}", id, null, new { command.Name }),
                cancellationToken
            );
            await work.CommitAsync(cancellationToken);
            return new Response(id, command.Name);
        }
    }
}
