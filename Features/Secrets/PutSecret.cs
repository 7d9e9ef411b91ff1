using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Secrets;
using Carter;
using Dapper;
using FluentValidation;
using MediatR;

namespace Bellhop.Features.Secrets;

/// <summary>Keeps a value under a name: a password, a token, a key. What names it uses the new value within five seconds.</summary>
/// <remarks>
/// The value is encrypted for its row before it is stored, and no answer ever holds it. Putting the same again replaces it; the
/// last one to be stored stays.
/// </remarks>
public static class PutSecret
{
    public sealed class Endpoint : ICarterModule
    {
        public void AddRoutes(IEndpointRouteBuilder app) =>
            app.MapPut("/v1/secrets/{name}", Put)
                .RequirePermission(Permissions.SecretsWrite)
                .WithName(nameof(PutSecret))
                .WithTags("Secrets")
                .Produces<SecretView>()
                .Produces<SecretView>(StatusCodes.Status201Created)
                .ProducesProblems(Problems.Invalid);

        /// <summary>Put a secret</summary>
        public static async Task<IResult> Put(
            string name,
            Body<SecretValue> body,
            IMediator mediator,
            CancellationToken cancellationToken
        )
        {
            var result = await mediator.Send(new Command(name, body.Value.Value), cancellationToken);
            return result.ToHttp(put =>
                put.IsNew ? TypedResults.Created($"/v1/secrets/{name}", put.Secret) : TypedResults.Ok(put.Secret)
            );
        }
    }

    /// <param name="Name">1 to 63 lower-case letters, digits and hyphens.</param>
    /// <param name="Value">1 to 65,536 bytes of UTF-8.</param>
    public sealed record Command(string Name, string Value) : IRequest<Result<Response>>
    {
        public override string ToString() => Name;
    }

    public sealed record Response(SecretView Secret, bool IsNew);

    public sealed class Validator : AbstractValidator<Command>
    {
        public Validator() => RuleFor(command => command.Value).IsSecretValue();
    }

    internal sealed class Handler(
        UnitOfWork works,
        NamedSecrets secrets,
        SecretUsers users,
        SecretBox box,
        Caller caller,
        AuditTrail audit,
        TimeProvider clock
    ) : IRequestHandler<Command, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Command command, CancellationToken cancellationToken)
        {
            if (!Slug.IsSound(command.Name))
            {
                return Problems.Invalid.Because(Slug.Form, FieldError.InParameter("name", "invalid_name", Slug.Form));
            }

            var arguments = new
            {
                caller.ProjectId,
                command.Name,
                Value = box.Seal(command.Value, NamedSecrets.Sealed.At(caller.ProjectId, command.Name)),
                Now = clock.GetUtcNow().UtcDateTime,
            };
            await using var work = await works.BeginAsync(cancellationToken);
            var put = await work.Connection.QuerySingleAsync<PutRow>(Sql.Put.With(arguments, cancellationToken));
            await audit.RecordAsync(
                work.Connection,
                new AuditRecord(
                    put.IsNew ? "secrets.create" : "secrets.update",
                    $"secrets/{command.Name}",
                    null,
                    put.IsNew ? null : SecretView.Recorded,
                    SecretView.Recorded
                ),
                cancellationToken
            );
            var usedBy = await users.FindAsync(work.Connection, caller.ProjectId, [command.Name], cancellationToken);
            work.AfterCommit(() => secrets.Forget(caller.ProjectId, command.Name));
            await work.CommitAsync(cancellationToken);
            return new Response(put.ToRow().ToView(usedBy), put.IsNew);
        }

        private sealed record PutRow(
            string Name,
            DateTime CreatedAt,
            DateTime UpdatedAt,
            DateTime? LastUsedAt,
            bool IsNew
        )
        {
            public SecretRow ToRow() => new(Name, CreatedAt, UpdatedAt, LastUsedAt);
        }
    }

    private static class Sql
    {
        public const string Put = """
            INSERT INTO secrets (project_id, name, value, created_at, updated_at)
            VALUES (@ProjectId, @Name, @Value, @Now, @Now)
            ON CONFLICT (project_id, name) DO UPDATE
            SET value = EXCLUDED.value, revision = secrets.revision + 1, updated_at = EXCLUDED.updated_at
            RETURNING name, created_at, updated_at, last_used_at, revision = 1 AS is_new
            """;
    }
}
