using Bellhop.Features.ApiKeys;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Npgsql;

namespace Bellhop.Features.Accounts.Tokens;

/// <summary>What was granted. Its text form shows nothing of it.</summary>
internal sealed record GrantedTokens(IssuedToken Access, RefreshToken? Refresh)
{
    public override string ToString() => "tokens";
}

/// <summary>Gives tokens for what proves somebody; whatever is wrong with that, the answer is the same.</summary>
internal sealed class TokenGrants(
    UnitOfWork works,
    AccessTokens access,
    RefreshTokens refresh,
    EndedFamilies ended,
    KnownKeys keys,
    Credentials credentials,
    AccountAudit audit,
    Caller caller,
    TimeProvider clock
)
{
    /// <summary>Begins a family for who knows the password and, where there is one, the second factor.</summary>
    public async Task<Result<GrantedTokens>> ByPasswordAsync(
        TokenRequest request,
        string? agent,
        CancellationToken cancellationToken
    )
    {
        var proven = await credentials.CheckAsync(request.Email!, request.Password!, request.Totp, cancellationToken);
        if (proven.Problem is { } problem)
        {
            return problem;
        }

        var user = proven.Unwrap().User;
        await using var work = await works.BeginAsync(cancellationToken);
        var family = await refresh.BeginAsync(
            work.Connection,
            user.Id,
            user.TokenEpoch,
            caller.Address,
            agent,
            cancellationToken
        );
        if (family is null)
        {
            return AccountsProblems.WrongCredentials;
        }

        await audit.RecordAsync(
            work.Connection,
            user.Id,
            user.Email,
            "users.sign_in",
            cancellationToken,
            new { TokenFamily = family.Id }
        );
        await work.CommitAsync(cancellationToken);
        return await GrantAsync(family, cancellationToken);
    }

    /// <summary>Goes on with a family; where the token had been spent before, ends it and puts that on record.</summary>
    public async Task<Result<GrantedTokens>> ByRefreshTokenAsync(string text, CancellationToken cancellationToken)
    {
        if (RefreshToken.Parse(text) is not { } token)
        {
            return AccountsProblems.NoGrant;
        }

        await using var work = await works.BeginAsync(cancellationToken);
        var spending = await refresh.SpendAsync(work.Connection, token, cancellationToken);
        if (spending.EndedFor is { } userId)
        {
            await RecordReuseAsync(work.Connection, userId, spending.EndedFamily!.Value, cancellationToken);
            work.AfterCommit(ended.Forget);
        }

        await work.CommitAsync(cancellationToken);
        return spending.Family is { } family ? await GrantAsync(family, cancellationToken) : AccountsProblems.NoGrant;
    }

    /// <summary>A token that is worth what the key is, at each request.</summary>
    public async Task<Result<GrantedTokens>> ByKeyAsync(string text, CancellationToken cancellationToken)
    {
        if (
            ApiKey.Parse(text) is not { } key
            || await keys.FindAsync(key, cancellationToken) is not { } identity
            || identity.Access.Refuses(caller.Address, clock.GetUtcNow()) is not null
        )
        {
            return AccountsProblems.NoGrant;
        }

        if (keys.ClaimUse(key))
        {
            await keys.RecordUseAsync(identity.ProjectId, key);
        }

        return new GrantedTokens(
            await access.OfKeyAsync(key.RowId, ApiKey.MarkOf(key.Sha256), cancellationToken),
            null
        );
    }

    private async Task<GrantedTokens> GrantAsync(TokenFamily family, CancellationToken cancellationToken) =>
        new(
            await access.OfUserAsync(family.UserId, family.Id, family.Epoch, family.ExpiresAt, cancellationToken),
            family.Refresh
        );

    private async Task RecordReuseAsync(
        NpgsqlConnection connection,
        Guid userId,
        Guid familyId,
        CancellationToken cancellationToken
    )
    {
        var user = await KnownUsers.ReadAsync(connection, userId, cancellationToken);
        // whoever it was has what was the user's
        await audit.RecordFailureAsync(
            connection,
            userId,
            user!.Email,
            cancellationToken,
            "tokens.reuse",
            new { Family = familyId }
        );
    }
}
