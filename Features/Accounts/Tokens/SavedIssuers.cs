using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Bellhop.Infrastructure.Mediation;
using Dapper;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>Saves the issuers whose tokens a project takes. What is changed acts at once here, within five seconds in other processes.</summary>
internal sealed class SavedIssuers(
    UnitOfWork works,
    TokenIssuerRules rules,
    KnownIssuers known,
    AccessTokens own,
    Caller caller,
    AuditTrail audit,
    TimeProvider clock
) : ConfigurationStore<TokenIssuerDocument, TokenIssuerView>(works, caller, audit)
{
    // a base class keeps its own
    private readonly Caller _caller = caller;

    protected override string Noun => "token issuer";

    protected override string Collection => "token-issuers";

    protected override async Task<Stored<TokenIssuerDocument, TokenIssuerView>?> LockAsync(
        Work work,
        NameOrId which,
        CancellationToken cancellationToken
    )
    {
        var arguments = new
        {
            ProjectId,
            which.Id,
            which.Name,
        };
        var row = await work.Connection.QuerySingleOrDefaultAsync<TokenIssuerRow>(
            Sql.Lock.With(arguments, cancellationToken)
        );
        return row?.ToView() is { } view
            ? new Stored<TokenIssuerDocument, TokenIssuerView>(view, view.ToDocument())
            : null;
    }

    /// <summary>Nobody has somebody else's tokens do more than they may do themselves.</summary>
    protected override ValueTask<Problem?> CheckAsync(
        Work work,
        TokenIssuerDocument document,
        Stored<TokenIssuerDocument, TokenIssuerView>? stored,
        CancellationToken cancellationToken
    ) =>
        ValueTask.FromResult(
            ValidationProblem.Of(rules.Validate(document))
                ?? (document.Issuer == own.Issuer ? Ourselves() : null)
                ?? (stored is null ? null : CheckTouch(stored))
                ?? Granting.Check(_caller, document.Role!, document.ToAccess())
        );

    protected override async Task<TokenIssuerView?> InsertAsync(
        Work work,
        TokenIssuerDocument document,
        CancellationToken cancellationToken
    )
    {
        var row = await work.Connection.QuerySingleOrDefaultAsync<TokenIssuerRow>(
            Sql.Insert.With(ToArguments(null, 1, document), cancellationToken)
        );
        return row?.ToView();
    }

    protected override async Task<TokenIssuerView> UpdateAsync(
        Work work,
        Stored<TokenIssuerDocument, TokenIssuerView> stored,
        TokenIssuerDocument document,
        CancellationToken cancellationToken
    )
    {
        var row = await work.Connection.QuerySingleAsync<TokenIssuerRow>(
            Sql.Update.With(ToArguments(stored.View.Id, stored.View.Revision, document), cancellationToken)
        );
        work.AfterCommit(() => known.Forget(stored.View.Issuer));
        return row.ToView();
    }

    protected override async Task<Problem?> RemoveAsync(
        Work work,
        Stored<TokenIssuerDocument, TokenIssuerView> stored,
        CancellationToken cancellationToken
    )
    {
        if (CheckTouch(stored) is { } problem)
        {
            return problem;
        }

        await work.Connection.ExecuteAsync(Sql.Delete.With(new { ProjectId, stored.View.Id }, cancellationToken));
        return null;
    }

    protected override Task<TokenIssuerView> FollowAsync(
        Work work,
        TokenIssuerView view,
        TokenIssuerDocument document,
        CancellationToken cancellationToken
    )
    {
        work.AfterCommit(() => known.Forget(view.Issuer));
        return Task.FromResult(view);
    }

    private Problem? CheckTouch(Stored<TokenIssuerDocument, TokenIssuerView> stored) =>
        Granting.CheckTouch(_caller, Noun, stored.View.Role, stored.Document.ToAccess());

    private static Problem Ourselves()
    {
        const string message = "That is this service itself, whose tokens are taken anyway.";
        return Problems.Invalid.Because(message, FieldError.At("/issuer", "own_issuer", message));
    }

    /// <param name="id">Null: a new one, of the very moment that is stored, since lists are bounded by the one and show the other.</param>
    private object ToArguments(Guid? id, int revision, TokenIssuerDocument document)
    {
        var now = clock.GetUtcNow();
        return new
        {
            ProjectId,
            Id = id ?? Guid.CreateVersion7(now),
            Revision = revision,
            document.Name,
            document.Issuer,
            document.Audience,
            document.JwksUrl,
            document.Subject,
            document.Role,
            Access = document.ToAccess().ToJson(),
            Now = now.UtcDateTime,
        };
    }

    private static class Sql
    {
        public const string Lock = """
            SELECT id, name, issuer, audience, jwks_url, subject, role, access::text AS access, revision, created_at, updated_at
            FROM token_issuers
            WHERE project_id = @ProjectId AND (id = @Id::uuid OR name = @Name::text)
            FOR UPDATE
            """;

        public const string Insert = """
            INSERT INTO token_issuers (
                project_id, id, name, issuer, audience, jwks_url, subject, role, access, revision, created_at, updated_at
            )
            VALUES (
                @ProjectId, @Id, @Name, @Issuer, @Audience, @JwksUrl, @Subject, @Role, @Access::json, @Revision, @Now, @Now
            )
            ON CONFLICT (project_id, name) DO NOTHING
            RETURNING id, name, issuer, audience, jwks_url, subject, role, access::text AS access, revision, created_at, updated_at
            """;

        public const string Update = """
            UPDATE token_issuers
            SET issuer = @Issuer, audience = @Audience, jwks_url = @JwksUrl, subject = @Subject, role = @Role,
                access = @Access::json, revision = revision + 1, updated_at = @Now
            WHERE project_id = @ProjectId AND id = @Id AND revision = @Revision
            RETURNING id, name, issuer, audience, jwks_url, subject, role, access::text AS access, revision, created_at, updated_at
            """;

        public const string Delete = "DELETE FROM token_issuers WHERE project_id = @ProjectId AND id = @Id";
    }
}
