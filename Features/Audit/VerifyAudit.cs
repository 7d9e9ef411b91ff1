using System.CommandLine;
using System.Globalization;
using Bellhop.Infrastructure.Cli;
using Bellhop.Infrastructure.Configuration;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Http;
using Dapper;
using FluentValidation;
using MediatR;
using Npgsql;

namespace Bellhop.Features.Audit;

/// <summary>Looks whether the audit of each project is as it was written: no entry changed, removed or slipped in.</summary>
/// <remarks>Links first what is not linked yet, so that it may be run while the service is stopped.</remarks>
public static class VerifyAudit
{
    public sealed class Verb : CliVerb
    {
        private readonly Option<string?> _project = new("--project")
        {
            Description = "only this project, by name or id; else all of them",
        };
        private readonly Option<string?> _expect = new("--expect")
        {
            Description = "a head that was printed before, as SEQ:HASH: the chain must still hold it",
        };

        public Verb()
            : base("audit verify", "Look whether an entry of the audit was changed, removed or added by hand.") =>
            Add(_project, _expect);

        public override Task<int> RunAsync(CliSession session, CancellationToken cancellationToken) =>
            session.SendAsync(
                new Query(session.Get(_project), session.Get(_expect)),
                report => string.Join('\n', report.Projects.Select(Line)),
                report => report.IsSound ? ExitCodes.Done : ExitCodes.Failed,
                cancellationToken
            );

        private static string Line(CheckedChain chain) =>
            chain.Broken is null
                ? $"{chain.Project}: {chain.Entries} entries, head {chain.Head ?? "none"}"
                : $"{chain.Project}: broken after {chain.Entries} entries: {chain.Broken}";
    }

    /// <param name="Project">By name or id; null: all.</param>
    /// <param name="Expect">A head of that project that was noted before: <c>SEQ:HASH</c>.</param>
    public sealed record Query(string? Project = null, string? Expect = null) : IRequest<Result<Report>>;

    public sealed record Report(bool IsSound, IReadOnlyList<CheckedChain> Projects);

    public sealed class Validator : AbstractValidator<Query>
    {
        public Validator()
        {
            RuleFor(query => query.Expect)
                .Must(text => text is null || Parse(text) is not null)
                .WithMessage("A head is SEQ:HASH, as audit verify prints it.");
            RuleFor(query => query.Project)
                .NotNull()
                .When(query => query.Expect is not null)
                .WithMessage("Name the project whose head it is.");
        }

        internal static ChainHead? Parse(string text) =>
            text.Split(':') is [var seq, { Length: 64 } hash]
            && long.TryParse(seq, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number > 0
            && hash.All(char.IsAsciiHexDigit)
                ? new ChainHead(number, Convert.FromHexString(hash))
                : null;
    }

    internal sealed class Handler(NpgsqlDataSource database, AuditChain chain, ChainCheck check)
        : IRequestHandler<Query, Result<Report>>
    {
        public async Task<Result<Report>> Handle(Query query, CancellationToken cancellationToken)
        {
            await chain.CloseAsync(cancellationToken);
            var projects = await ReadAsync(query, cancellationToken);
            if (projects.Count == 0)
            {
                return Problems.NotFound.Because($"There is no project {query.Project}.");
            }

            var expected = query.Expect is null ? null : Validator.Parse(query.Expect);
            var chains = new List<CheckedChain>();
            foreach (var project in projects)
            {
                chains.Add(await check.RunAsync(project.Id, project.Name, expected, cancellationToken));
            }

            return new Report(chains.TrueForAll(one => one.Broken is null), chains);
        }

        private async Task<List<ProjectRow>> ReadAsync(Query query, CancellationToken cancellationToken)
        {
            await using var connection = await database.OpenConnectionAsync(cancellationToken);
            var rows = await connection.QueryAsync<ProjectRow>(
                Sql.Projects.With(new { NameOrId = query.Project }, cancellationToken)
            );
            return rows.AsList();
        }

        private sealed record ProjectRow(Guid Id, string Name);
    }

    private static class Sql
    {
        // what users do who are members of nothing is recorded under the zero id
        public const string Projects = """
            SELECT id, name
            FROM (
                SELECT id, name FROM projects UNION ALL SELECT '00000000-0000-0000-0000-000000000000'::uuid, '(no project)'
            ) AS known
            WHERE @NameOrId::text IS NULL OR name = @NameOrId OR id::text = lower(@NameOrId)
            ORDER BY name
            """;
    }
}
