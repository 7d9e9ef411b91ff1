using System.CommandLine;
using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Mediation;
using Carter;
using Dapper;
using FluentValidation;
using MediatR;

namespace Bellhop.Features.ApiKeys;

/// <summary>Makes an API key for the project. The key is shown once; only its hash is kept.</summary>
/// <remarks>Nobody makes a key that can do more than he: neither by its role nor by what narrows it.</remarks>
public static class CreateApiKey
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/api-keys", Post)
                .RequirePermission(Permissions.MembersManage)
                .WithName(nameof(CreateApiKey))
                .WithTags("API keys")
                .Produces<Response>(StatusCodes.Status201Created)
                .ProducesProblems(Problems.NameTaken, Problems.Invalid);

        /// <summary>Create an API key</summary>
        public static async Task<IResult> Post(
            Body<KeyDocument> body,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(new Command(body.Value), cancellationToken);
            return result.ToHttp(made => TypedResults.Created($"/v1/api-keys/{made.Id}", made));
        }
    }

    public sealed class Verb : CliVerb
    {
        private readonly Option<string> _name = new("--name") { Description = "what to call it", Required = true };
        private readonly Option<string> _role = new("--role")
        {
            Description = string.Join(", ", Roles.Table.Keys.Order(StringComparer.Ordinal)),
            Required = true,
        };
        private readonly Option<string?> _scopes = new("--scopes")
        {
            Description = "only these permissions of the role, separated by commas",
        };
        private readonly Option<string?> _queues = new("--queues")
        {
            Description = "only jobs of these queues, separated by commas",
        };
        private readonly Option<string?> _networks = new("--allow-networks")
        {
            Description = "only from these networks, separated by commas",
        };
        private readonly Option<int> _expires = new("--expires-days")
        {
            Description = "days until it expires",
            DefaultValueFactory = _ => 365,
        };

        public Verb()
            : base("api-keys create", "Make an API key; it is shown once.") =>
            Add(_name, _role, _scopes, _queues, _networks, _expires);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken)
        {
            var document = new KeyDocument(
                session.Get(_name),
                session.Get(_role),
                TimeProvider.System.GetUtcNow().UtcDateTime.AddDays(Math.Clamp(session.Get(_expires), -1, 100_000)),
                Split(session.Get(_scopes)),
                Split(session.Get(_queues)),
                AllowNetworks: Split(session.Get(_networks))
            );
            return session.SendAsync(new Command(document), made => made.Key, cancellationToken);
        }

        private static string[]? Split(string? text) =>
            text?.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
    }

    public sealed record Command(KeyDocument Document) : IRequest<Result<Response>>;

    /// <param name="Key">The key itself, never to be had again.</param>
    public sealed record Response(
        Guid Id,
        [property: MaxLength(ApiKey.Length)] string Key,
        [property: MaxLength(100)] string Name,
        [property: MaxLength(63)] string Role,
        DateTime ExpiresAt
    ) : IExampled<Response>
    {
        public static Response Example =>
            new(Story.Source, ApiKey.Example, "shop", "worker", Story.SetUpAt.AddYears(1));

        public override string ToString() => $"key {Id}";
    }

    internal sealed class Handler(
        IValidator<KeyDocument> rules,
        UnitOfWork works,
        AuditTrail trail,
        Caller caller,
        TimeProvider clock
    ) : IRequestHandler<Command, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Command request, CancellationToken cancellationToken)
        {
            var document = request.Document;
            if (ValidationProblem.Of(await rules.ValidateAsync(document, cancellationToken)) is { } unsound)
            {
                return unsound;
            }

            var access = document.ToAccess();
            if (Granting.Check(caller, document.Role!, access) is { } lacking)
            {
                return lacking;
            }

            var now = clock.GetUtcNow();
            var key = ApiKey.Create(Guid.CreateVersion7(now));
            var arguments = new
            {
                caller.ProjectId,
                Id = key.RowId,
                KeyId = key.Id,
                document.Name,
                key.Sha256,
                document.Role,
                Access = access.ToJson(),
                Now = now.UtcDateTime,
                CreatedBy = caller.Actor,
                ExpiresAt = document.ExpiresAt ?? now.UtcDateTime.AddYears(1),
            };
            await using var work = await works.BeginAsync(cancellationToken);
            if (await work.Connection.ExecuteAsync(Sql.Insert.With(arguments, cancellationToken)) == 0)
            {
                return Problems.NameTaken.Because($"The project has a key {document.Name} already.");
            }

            await trail.RecordAsync(
                work.Connection,
                new AuditRecord(
                    "api-keys.create",
                    $"api-keys/{document.Name}",
                    key.RowId,
                    null,
                    document with
                    {
                        ExpiresAt = arguments.ExpiresAt,
                    }
                ),
                cancellationToken
            );
            await work.CommitAsync(cancellationToken);
            return new Response(key.RowId, key.Text, document.Name!, document.Role!, arguments.ExpiresAt);
        }
    }

    private static class Sql
    {
        public const string Insert = """
            INSERT INTO api_keys (
                project_id, id, key_id, name, secret_sha256, role, access, created_at, created_by, updated_at, expires_at
            )
            VALUES (@ProjectId, @Id, @KeyId, @Name, @Sha256, @Role, @Access::json, @Now, @CreatedBy, @Now, @ExpiresAt)
            ON CONFLICT (project_id, name) WHERE revoked_at IS NULL DO NOTHING
            """;
    }
}
