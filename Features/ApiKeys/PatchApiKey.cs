using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Bellhop.Infrastructure.Mediation;
using Carter;
using Dapper;
using FluentValidation;
using MediatR;

namespace Bellhop.Features.ApiKeys;

/// <summary>Changes what an API key may do and when it expires: the members that the merge patch names. Its name stays.</summary>
/// <remarks>The change holds within five seconds in every process. A key that is revoked stays as it is.</remarks>
public static class PatchApiKey
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPatch("/v1/api-keys/{id}", Patch)
                .RequirePermission(Permissions.MembersManage)
                .WithName(nameof(PatchApiKey))
                .WithTags("API keys")
                .Produces<ApiKeyView>()
                .ProducesProblems(ApiKeysProblems.Revoked, Problems.Invalid);

        /// <summary>Change an API key</summary>
        public static async Task<IResult> Patch(
            string id,
            MergePatch<KeyDocument> patch,
            Precondition precondition,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(new Command(NameOrId.Parse(id), patch, precondition), cancellationToken);
            return result.ToResource();
        }
    }

    public sealed record Command(NameOrId Key, MergePatch<KeyDocument> Patch, Precondition Precondition)
        : IRequest<Result<ApiKeyView>>;

    internal sealed class Handler(
        StoredKeys stored,
        IValidator<KeyDocument> rules,
        KnownKeys known,
        UnitOfWork works,
        AuditTrail trail,
        Caller caller,
        TimeProvider clock
    ) : IRequestHandler<Command, Result<ApiKeyView>>
    {
        public async Task<Result<ApiKeyView>> Handle(Command request, CancellationToken cancellationToken)
        {
            var now = clock.GetUtcNow().UtcDateTime;
            await using var work = await works.BeginAsync(cancellationToken);
            var found = await stored.LockAsync(work, request.Key, cancellationToken);
            if (found.Problem is { } refused)
            {
                return refused;
            }

            var before = found.Unwrap();
            var patched =
                request.Precondition.Check(before.ToView(now)) is { } failed ? failed
                : before.RevokedAt is not null ? ApiKeysProblems.IsRevoked(before.Name)
                : request.Patch.ApplyTo(before.ToDocument());
            if (patched.Problem is { } malformed)
            {
                return malformed;
            }

            var document = patched.Unwrap() with { ExpiresAt = ExpiryOf(before, patched.Unwrap(), now) };
            if (await CheckAsync(before, document, cancellationToken) is { } problem)
            {
                return problem;
            }

            var arguments = new
            {
                caller.ProjectId,
                before.Id,
                document.Role,
                Access = document.ToAccess().ToJson(),
                document.ExpiresAt,
                Now = now,
            };
            var row = await work.Connection.QuerySingleAsync<ApiKeyRow>(Sql.Update.With(arguments, cancellationToken));
            await trail.RecordAsync(
                work.Connection,
                new AuditRecord(
                    "api-keys.update",
                    $"api-keys/{before.Name}",
                    before.Id,
                    before.ToDocument(),
                    row.ToDocument()
                ),
                cancellationToken
            );
            work.AfterCommit(() => known.Forget(before.KeyId));
            await work.CommitAsync(cancellationToken);
            return row.ToView(now);
        }

        /// <summary>When it expires from now on: taken away, a year from now, as for a new key; only one that never did goes on so.</summary>
        private static DateTime? ExpiryOf(ApiKeyRow before, KeyDocument document, DateTime now) =>
            document.ExpiresAt is not { } at ? (before.ExpiresAt is null ? null : now.AddYears(1))
            // what the patch does not name comes back to the millisecond
            : (before.ExpiresAt - at)?.TotalMilliseconds is >= 0 and < 1 ? before.ExpiresAt
            : at;

        private async Task<Problem?> CheckAsync(
            ApiKeyRow before,
            KeyDocument document,
            CancellationToken cancellationToken
        )
        {
            if (document.Name != before.Name)
            {
                var message = $"This key is named {before.Name}, and a name stays: leave it out, or make another key.";
                return Problems.Invalid.Because(message, FieldError.At("/name", "name_differs", message));
            }

            // one that has expired may stay so
            var judged = document.ExpiresAt == before.ExpiresAt ? document with { ExpiresAt = null } : document;
            return ValidationProblem.Of(await rules.ValidateAsync(judged, cancellationToken))
                ?? Granting.Check(caller, document.Role!, document.ToAccess());
        }
    }

    private static class Sql
    {
        public const string Update = """
            UPDATE api_keys
            SET role = @Role, access = @Access::json, expires_at = @ExpiresAt, revision = revision + 1, updated_at = @Now
            WHERE project_id = @ProjectId AND id = @Id AND revoked_at IS NULL
            RETURNING id, key_id, name, role, access::text AS access, created_at, created_by, expires_at, last_used_at,
                rotated_at, old_expires_at, revoked_at, revision, updated_at
            """;
    }
}
