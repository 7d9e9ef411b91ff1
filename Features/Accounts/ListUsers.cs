using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Accounts;

/// <summary>Lists every user of the installation by address, with his memberships, for who runs it.</summary>
public static class ListUsers
{
    public sealed class Verb : CliVerb
    {
        public Verb()
            : base("users list", "List the users, with their projects and roles.") { }

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Query(),
                found => string.Join('\n', found.Users.Select(user => user.Describe())),
                cancellationToken
            );
    }

    public sealed record Query : IRequest<Result<Response>>;

    public sealed record Response(IReadOnlyList<ListedUser> Users);

    internal sealed class Handler(NpgsqlDataSource database) : IRequestHandler<Query, Result<Response>>
    {
        public async Task<Result<Response>> Handle(Query request, CancellationToken cancellationToken)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var rows = await connection.QueryAsync<ListedUser>(Sql.List.With(null, cancellationToken));
            return new Response(rows.AsList());
        }
    }

    private static class Sql
    {
        public const string List = """
            SELECT u.id, u.email, u.disabled_at IS NOT NULL AS is_disabled, u.totp_enabled_at IS NOT NULL AS has_second_factor,
                u.created_at, u.last_login_at,
                coalesce(string_agg(p.name || ':' || m.role, ' ' ORDER BY p.name), '') AS memberships
            FROM users AS u
            LEFT JOIN memberships AS m ON m.user_id = u.id AND m.disabled_at IS NULL
            LEFT JOIN projects AS p ON p.id = m.project_id
            GROUP BY u.id
            ORDER BY u.email_key
            """;
    }
}
