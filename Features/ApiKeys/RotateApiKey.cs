using System.CommandLine;
using System.ComponentModel.DataAnnotations;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Carter;
using Dapper;
using FluentValidation;
using MediatR;

namespace Bellhop.Features.ApiKeys;

/// <summary>Gives an API key a new secret, shown once; the old one is taken for as long as is said, so that no call fails.</summary>
/// <remarks>
/// Its id, name and rights stay. The new one is taken by every process at once; of several old ones only the last is taken.
/// </remarks>
public static class RotateApiKey
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPost("/v1/api-keys/{id}/rotate", Post)
                .RequirePermission(Permissions.MembersManage)
                .WithName(nameof(RotateApiKey))
                .WithTags("API keys")
                .Produces<Response>()
                .ProducesProblems(ApiKeysProblems.Revoked, Problems.Invalid);

        /// <summary>Rotate an API key</summary>
        public static async Task<IResult> Post(
            string id,
            Body<KeyRotation> body,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var command = new Command(NameOrId.Parse(id), body.Value.OverlapSeconds ?? KeyRotation.Usual);
            return (await mediator.Send(command, cancellationToken)).ToHttp(TypedResults.Ok);
        }
    }

    public sealed class Verb : CliVerb
    {
        private readonly Argument<string> _key = new("key") { Description = "its id or name" };
        private readonly Option<int> _overlap = new("--overlap-seconds")
        {
            Description = "how long the old one is still taken",
            DefaultValueFactory = _ => KeyRotation.Usual,
        };

        public Verb()
            : base("api-keys rotate", "Give an API key a new secret; it is shown once.") => Add(_key, _overlap);

        public override bool TakesProject => true;

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Command(NameOrId.Parse(session.Get(_key)!), session.Get(_overlap)),
                rotated => rotated.Key,
                cancellationToken
            );
    }

    public sealed record Command(NameOrId Key, int OverlapSeconds) : IRequest<Result<Response>>;

    /// <param name="Key">The key itself, never to be had again.</param>
    /// <param name="OldExpiresAt">Until when the key is also taken as it was.</param>
    public sealed record Response([property: MaxLength(ApiKey.Length)] string Key, DateTime OldExpiresAt)
        : IExampled<Response>
    {
        public static Response Example => new(ApiKey.Example, Story.SetUpAt.AddDays(1));

        public override string ToString() => "a key";
    }

    public sealed class Validator : AbstractValidator<Command>
    {
        public Validator() =>
            RuleFor(command => command.OverlapSeconds).InclusiveBetween(0, KeyRotation.MaxOverlapSeconds);
    }

    internal sealed class Handler(
        StoredKeys stored,
        KnownKeys known,
        UnitOfWork works,
        AuditTrail trail,
        Caller caller,
        TimeProvider clock
    ) : IRequestHandler<Command, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Command request, CancellationToken cancellationToken)
        {
            await using var work = await works.BeginAsync(cancellationToken);
            var found = await stored.LockAsync(work, request.Key, cancellationToken);
            if (found.Problem is { } refused)
            {
                return refused;
            }

            var row = found.Unwrap();
            if (row.RevokedAt is not null)
            {
                return ApiKeysProblems.IsRevoked(row.Name);
            }

            var now = clock.GetUtcNow().UtcDateTime;
            var key = ApiKey.Create(row.Id);
            var arguments = new
            {
                caller.ProjectId,
                row.Id,
                key.Sha256,
                OldExpiresAt = now.AddSeconds(request.OverlapSeconds),
                Now = now,
            };
            await work.Connection.ExecuteAsync(Sql.Rotate.With(arguments, cancellationToken));
            await trail.RecordAsync(
                work.Connection,
                new AuditRecord(
                    "api-keys.rotate",
                    $"api-keys/{row.Name}",
                    row.Id,
                    null,
                    new { arguments.OldExpiresAt }
                ),
                cancellationToken
            );
            work.AfterCommit(() => known.Forget(row.KeyId));
            await work.CommitAsync(cancellationToken);
            return new Response(key.Text, arguments.OldExpiresAt);
        }
    }

    private static class Sql
    {
        public const string Rotate = """
            UPDATE api_keys
            SET old_sha256 = secret_sha256, old_expires_at = @OldExpiresAt, secret_sha256 = @Sha256, rotated_at = @Now,
                revision = revision + 1, updated_at = @Now
            WHERE project_id = @ProjectId AND id = @Id AND revoked_at IS NULL
            """;
    }
}
