using System.CommandLine;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Carter;
using Dapper;
using FluentValidation;
using MediatR;

namespace Bellhop.Features.Accounts;

/// <summary>Makes a project: the wall around everything that is put into it. The user who makes it is its owner.</summary>
/// <remarks>A user may who owns a project already; the command line may, and makes nobody owner.</remarks>
public static class CreateProject
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/projects", Post)
                .RequireUser()
                .WithName(nameof(CreateProject))
                .WithTags("Projects")
                .Produces<ProjectView>(StatusCodes.Status201Created)
                .ProducesProblems(Problems.NameTaken, Problems.Invalid);

        /// <summary>Create a project</summary>
        public static async Task<IResult> Post(
            Body<ProjectDocument> body,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(new Command(body.Value.Name!), cancellationToken);
            return result.ToResource(StatusCodes.Status201Created, made => $"/v1/projects/{made.Id}");
        }
    }

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

    public sealed record Command(string Name) : IRequest<Result<ProjectView>>;

    public sealed class Validator : AbstractValidator<Command>
    {
        public Validator() => RuleFor(command => command.Name).IsSlug();
    }

    internal sealed class Handler(
        UnitOfWork works,
        Caller caller,
        AuditTrail audit,
        KnownUsers users,
        TimeProvider clock
    ) : IRequestHandler<Command, Result<ProjectView>>
    {
        public async Task<Result<ProjectView>> Handle(Command command, CancellationToken cancellationToken)
        {
            await using var work = await works.BeginAsync(cancellationToken);
            var now = clock.GetUtcNow();
            if (caller.UserId is { } maker && !await OwnsOneAsync(work, maker, now, cancellationToken))
            {
                return Problems.Forbidden.Because("Who owns a project may make another one; ask an owner.");
            }

            if (caller.UserId is not null && command.Name == Projects.Default)
            {
                return Projects.IsReserved;
            }

            if (await Projects.CreateAsync(work.Connection, command.Name, now, cancellationToken) is not { } id)
            {
                return Problems.NameTaken.Because($"There is a project {command.Name} already.");
            }

            if (caller.UserId is { } owner)
            {
                var membership = new
                {
                    ProjectId = id,
                    Id = Guid.CreateVersion7(now),
                    UserId = owner,
                    Roles.Owner,
                    Now = now.UtcDateTime,
                    CreatedBy = caller.Actor,
                };
                await work.Connection.ExecuteAsync(Sql.Join.With(membership, cancellationToken));
                work.AfterCommit(() => users.Forget(owner));
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
            return new ProjectView(id, command.Name, null, 1, now.UtcDateTime, now.UtcDateTime);
        }

        private async Task<bool> OwnsOneAsync(
            Work work,
            Guid id,
            DateTimeOffset now,
            CancellationToken cancellationToken
        )
        {
            var user = await KnownUsers.ReadAsync(work.Connection, id, cancellationToken);
            return user!.Memberships.Any(membership =>
                Roles.Allow(membership.Role, membership.Access.Scopes).Contains(Permissions.ProjectsWrite)
                && membership.Access.Refuses(caller.Address, now) is null
            );
        }
    }

    private static class Sql
    {
        public const string Join = """
            INSERT INTO memberships (project_id, id, user_id, role, created_at, created_by, updated_at)
            VALUES (@ProjectId, @Id, @UserId, @Owner, @Now, @CreatedBy, @Now)
            """;
    }
}
