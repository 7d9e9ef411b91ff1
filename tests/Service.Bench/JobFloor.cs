using System.Globalization;
using System.Text.RegularExpressions;
using Bellhop.Features.Jobs.Running;
using Npgsql;

namespace Bellhop.Bench;

/// <summary>The yardstick of drains: pgbench that claims and finishes by the service's own statements, each client on a queue of its own.</summary>
internal static class JobFloor
{
    public const int Clients = 4;
    public const int Claimed = 200;

    /// <summary>Puts jobs on the queues of all clients and takes them off again.</summary>
    /// <returns>Jobs a second.</returns>
    public static async Task<double> RunAsync(BenchHost host, string connectionString, int jobs)
    {
        var turns = jobs / Clients / Claimed;
        await using var database = NpgsqlDataSource.Create(connectionString + ";Search Path=bellhop;Command Timeout=0");
        var first = await FillAsync(database, turns * Claimed);
        var name = new NpgsqlConnectionStringBuilder(connectionString).Database!;
        var limit = string.Create(
            CultureInfo.InvariantCulture,
            $"-t {turns} -D first={first} -D run_at=-infinity -D seq=0"
        );
        return host.PgbenchScript(Script(await ProjectAsync(database)), name, Clients, limit) * Claimed;
    }

    private static async Task<Guid> ProjectAsync(NpgsqlDataSource database)
    {
        await using var command = database.CreateCommand("SELECT id FROM projects WHERE name = 'default'");
        return (Guid)(await command.ExecuteScalarAsync())!;
    }

    /// <returns>The first of the clients' queues; the others follow.</returns>
    private static async Task<long> FillAsync(NpgsqlDataSource database, int perQueue)
    {
        await using var command = database.CreateCommand(
            $"""
            WITH made AS (
                INSERT INTO queues (project_id, name, served_by, retry)
                SELECT p.id, 'floor-' || gen_random_uuid(), 'service', json_build_object()
                FROM projects p, generate_series(1, {Clients})
                WHERE p.name = 'default'
                RETURNING project_id, queue_id
            ), filled AS (
                INSERT INTO jobs (project_id, id, queue_id, run_at, state, max_attempts, kind, args)
                SELECT project_id, new_id(), queue_id, now(), 1, 20, 'noop', json_build_object()
                FROM made, generate_series(1, {perQueue})
            )
            SELECT min(queue_id) FROM made
            """
        );
        return (long)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>The statements with values in place of their parameters; a claim goes on where the one before ended.</summary>
    private static string Script(Guid project)
    {
        const string Answer = "SELECT (SELECT count(*) FROM picked) AS seen";
        var claim = ClaimStatements.Sql.Onward;
        claim =
            claim[..claim.LastIndexOf(Answer, StringComparison.Ordinal)]
            + """
                SELECT array_agg(project_id) AS projects, array_agg(id) AS ids, array_agg(claim_no) AS claims, max(run_at) AS run_at,
                    max(seq) AS seq
                FROM taken
                """;
        var values = new Dictionary<string, string>
        {
            ["ReadyProjects"] = $"ARRAY['{project}']",
            ["ReadyQueues"] = "ARRAY[:first::bigint + :client_id]",
            ["Queues"] = "ARRAY['']",
            ["Free"] = "ARRAY[0]",
            ["Floors"] = "ARRAY[0]",
            ["OtherFree"] = $"{Claimed}",
            ["ShareQueues"] = "'{}'",
            ["ShareTags"] = "'{}'",
            ["ShareStarts"] = "'{}'",
            ["PassedQueues"] = "ARRAY[:first::bigint + :client_id]",
            ["PassedPriorities"] = "ARRAY[3]",
            ["PassedRunAts"] = "ARRAY[:run_at]",
            ["PassedSeqs"] = "ARRAY[:seq]",
            ["WorkerId"] = $"'{Guid.NewGuid()}'",
            ["ClaimKey"] = "NULL",
            ["Carriers"] = "'{}'",
            ["LostBelow"] = "32767",
            ["ProjectIds"] = ":projects",
            ["Ids"] = ":ids",
            ["ClaimNos"] = ":claims",
            ["Outcomes"] = $"array_fill(0, ARRAY[{Claimed}])",
            ["Results"] = $"array_fill(NULL::text, ARRAY[{Claimed}])",
            ["Errors"] = $"array_fill(NULL::text, ARRAY[{Claimed}])",
        };
        return $"""
            {Fill(claim)} \gset
            {Fill(JobEndings.Sql.Finish)};

            """;

        string Fill(string sql) =>
            Regex.Replace(sql, @"(?<!:)@(\w+)", match => values[match.Groups[1].Value]).ReplaceLineEndings(" ");
    }
}
