using System.CommandLine;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Http;
using FluentValidation;
using MediatR;
using Npgsql;

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

    internal sealed class Handler(NpgsqlDataSource database, TimeProvider clock)
        : IRequestHandler<Command, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Command command, CancellationToken cancellationToken)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            var id = Guid.CreateVersion7(clock.GetUtcNow());
            if (await Projects.CreateAsync(connection, id, command.Name, cancellationToken) is null)
            {
                return Problems.NameTaken.Because($"There is a project {command.Name} already.");
            }

            await transaction.CommitAsync(cancellationToken);
            return new Response(id, command.Name);
        }
    }
}
