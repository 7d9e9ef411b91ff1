using System.Reflection;
using System.Text.RegularExpressions;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Npgsql;
using NpgsqlTypes;
using Xunit;

namespace Bellhop.Tests.Architecture;

/// <summary>Every SQL constant of the service, held against the migrated schema.</summary>
public sealed partial class StatementRules(ServiceFixture service)
{
    /// <summary>Statements that touch project-owned tables across projects, each with its reason.</summary>
    private static readonly Dictionary<string, string> EngineWide = new(StringComparer.Ordinal)
    {
        ["AccountAudit.Insert"] = "what happens to an account is told in each of its projects",
        ["AuditChain.NextProject"] = "a duty: it closes the chain of every project, one after the other",
        ["ChainSeal.TakeSealed"] = "rotation seals every project's head anew",
        ["ConnectionSecret.TakeSealed"] = "rotation seals every project's secrets anew",
        ["EndCanceledJobs.End"] = "a duty: a grace that is over is over in every project",
        ["EndOrphanedJobs.Look"] = "a duty: who waits for what is no more is ended in every project",
        ["EndpointSecret.TakeSealed"] = "rotation seals every project's secrets anew",
        ["ExpireDeliveries.Expire"] = "a duty: eight days are eight days in every project",
        ["ExpireJobs.Expire"] = "a duty: what is too late is so in every project",
        ["ExpiredLeases.Rescue"] = "whoever claims also rescues, for every project",
        ["FirstKey.NeedsNone"] = "run at start, before anyone calls, on the project default",
        ["FirstKey.Insert"] = "run at start, before anyone calls, on the project default",
        ["ForgetIdempotencyKeys.Forget"] = "a duty: a day is a day in every project",
        ["ForgetKeys.Forget"] = "a duty: a key that is over is so in every project",
        ["ForgetKeys.Look"] = "a duty: the next keys in their order, whosever they are",
        ["ForgetKeys.Lock"] = "a duty: of each key its project is named",
        ["ForgetKeys.ForgetHolderless"] = "a duty: of each key its project is named",
        ["ForgetWorkers.Forget"] = "a duty: a day is a day in every project",
        ["ForgetSignIns.Tokens"] = "a duty: a day is a day in every project",
        ["AdmitJobs.FindFree"] = "a duty: jobs of all projects that wait for nothing any more",
        ["AdmitJobs.FindParents"] = "a duty: what is over in any project",
        ["ClaimStatements.Onward"] = "one claim serves the queues of all projects",
        ["ClaimStatements.Whole"] = "one claim serves the queues of all projects",
        ["Lanes.Admit"] = "lanes are looked at for all projects, as the statement before it locked them",
        ["Lanes.Find"] = "the duty looks at the lanes of all projects",
        ["WatchDepths.FindFull"] = "a duty: a queue is full whoever asks",
        ["WorkerDesk.FindRepeated"] = "on behalf of the workers of all projects",
        ["WorkerRegistry.Note"] = "on behalf of the workers of all projects",
        ["WorkerDesk.FindCanceled"] = "on behalf of the workers of all projects",
        ["KnownIssuers.Find"] = "a token is shown before its project is known",
        ["KnownKeys.Find"] = "a key is looked up before its project is known",
        ["KnownUsers.Find"] = "a user is in several projects, and picks one",
        ["ListProjects.Own"] = "a user is in several projects, and sees them all",
        ["ListProjects.OwnFromOldest"] = "a user is in several projects, and sees them all",
        ["MeasureEndpoints.Count"] = "a gauge over all projects",
        ["MeasureQueues.Measure"] = "gauges name queues, never projects",
        ["KeptAnswers.TakeSealed"] = "rotation seals every project's answers anew",
        ["NamedSecrets.TakeSealed"] = "rotation seals every project's secrets anew",
        ["ListUsers.List"] = "the installation's users, with each project of theirs",
        ["OneTimeTokens.Find"] = "a token is looked up before its project is known",
        ["OneTimeTokens.Mint"] = "by id, and then by its hash, of whatever project",
        ["OneTimeTokens.Take"] = "by id, and then by its hash, of whatever project",
        ["OneTimeTokens.CloseResets"] = "a password is in no project",
        ["OneTimeTokens.TakeInvitations"] = "who has an address is invited to each of these projects",
        ["Projects.Create"] = "makes the project",
        ["SavedProjects.Find"] = "the project is what is looked for, whichever the caller acts in",
        ["SavedProjects.Lock"] = "the project is what is looked for, whichever the caller acts in",
        ["SendAccountMail.Find"] = "the job is in the project of the connection, the token in another one",
        ["SessionProof.Find"] = "a user is in several projects, and picks one",
        ["SourceCache.Find"] = "a token is looked up before its project is known",
        ["SourceCache.TakeSealed"] = "rotation seals every project's secrets anew",
        ["UnroutedEvents.Take"] = "the duty routes what any project left unrouted",
    };

    /// <summary>Statements that change a job whatever becomes of it, each with its reason.</summary>
    private static readonly Dictionary<string, string> OfAnyClaim = new(StringComparer.Ordinal)
    {
        ["JobParents.Add"] =
            "a job that is waited for may be in any state, and the mark is for whichever end it comes to",
    };

    public static TheoryData<string> Names => [.. All().Select(statement => statement.Name)];

    [Fact]
    public void There_are_statements() => Assert.True(All().Count() > 20);

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_statement_prepares_against_the_migrated_schema(string name)
    {
        var sql = All().Single(statement => statement.Name == name).Sql;
        await using var connection = await service.Database.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await using var command = new NpgsqlCommand(sql, connection);
        foreach (var parameter in Parameter().Matches(sql).Select(match => match.Groups[1].Value).Distinct())
        {
            command.Parameters.Add(new NpgsqlParameter(parameter, NpgsqlDbType.Unknown) { Value = DBNull.Value });
        }

        await command.PrepareAsync(TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_statement_on_rows_of_a_project_names_the_project()
    {
        await using var connection = await service.Database.OpenConnectionAsync(TestContext.Current.CancellationToken);
        var tables = (
            await connection.QueryAsync<string>(OfProjects.With(null, TestContext.Current.CancellationToken))
        ).ToArray();

        Assert.Contains("events", tables);
        Assert.DoesNotContain("projects", tables);
        Assert.All(
            All().Where(statement => !EngineWide.ContainsKey(statement.Name)),
            statement =>
            {
                var owned = tables.Where(table =>
                    Regex.IsMatch(statement.Sql, $@"\b(FROM|JOIN|INTO|UPDATE)\s+{table}\b")
                );
                Assert.True(
                    statement.Sql.Contains("@ProjectId", StringComparison.Ordinal) || !owned.Any(),
                    $"{statement.Name} reads or writes {string.Join(", ", owned)} without project_id"
                );
            }
        );
    }

    /// <summary>Whoever changes a job says which claim of it is meant, or in which state: what it saw a moment ago may be over.</summary>
    /// <remarks>A lease says a state: a job that is running has one, and no other job.</remarks>
    [Fact]
    public void What_changes_or_removes_a_job_names_its_claim_or_its_state()
    {
        var changes = (
            from statement in All()
            from change in ChangeOfJobs().Matches(statement.Sql)
            select (statement.Name, Where: Condition(statement.Sql[change.Index..]))
        ).ToArray();

        Assert.True(changes.Length > 15);
        Assert.All(
            changes.Where(change => !OfAnyClaim.ContainsKey(change.Name)),
            change => Assert.True(Guard().IsMatch(change.Where), $"{change.Name} changes jobs WHERE {change.Where}")
        );
    }

    /// <summary>
    /// A NOTIFY in a transaction that writes makes all such commits of the server wait for each other. One statement sends any, in a
    /// transaction of its own.
    /// </summary>
    [Fact]
    public async Task Nobody_is_notified_from_within_a_transaction()
    {
        var senders =
            from type in CompiledCode.Types
            from method in type.Methods.Where(method => method.HasBody)
            from text in method.Body.Instructions.Select(instruction => instruction.Operand).OfType<string>()
            where !type.FullName.Contains("_generated", StringComparison.Ordinal) && Notify().IsMatch(text) // there stand comments
            select CompiledCode.Outermost(type).Name;
        await using var connection = await service.Database.OpenConnectionAsync(TestContext.Current.CancellationToken);
        var functions = (
            await connection.QueryAsync<(string Name, string Source)>(
                Functions.With(null, TestContext.Current.CancellationToken)
            )
        ).ToArray();

        Assert.Equal([nameof(Notifications)], senders.Distinct());
        Assert.Equal(
            ["Notifications.Notify"],
            All().Where(statement => Notify().IsMatch(statement.Sql)).Select(statement => statement.Name)
        );
        // it has no connection of a caller's that could be in a transaction
        Assert.DoesNotContain(
            typeof(Notifications).GetMethods(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance),
            method => method.GetParameters().Any(parameter => parameter.ParameterType == typeof(NpgsqlConnection))
        );
        Assert.Contains("enqueue", functions.Select(function => function.Name));
        Assert.DoesNotContain(functions, function => Notify().IsMatch(function.Source));
    }

    [Fact]
    public void The_list_of_engine_wide_statements_is_not_stale() =>
        Assert.Empty(EngineWide.Keys.Union(OfAnyClaim.Keys).Except(All().Select(statement => statement.Name)));

    private static IEnumerable<(string Name, string Sql)> All() =>
        from type in typeof(Program).Assembly.GetTypes()
        where type is { Name: "Sql", DeclaringType: not null }
        from field in type.GetFields(BindingFlags.Public | BindingFlags.Static) // private ones are parts of these
        where field.IsLiteral && field.FieldType == typeof(string)
        select ($"{type.DeclaringType!.Name}.{field.Name}", (string)field.GetRawConstantValue()!);

    /// <summary>What follows WHERE in a statement, or in the part of one that ends with its parenthesis.</summary>
    private static string Condition(string sql)
    {
        var (depth, began) = (0, -1);
        for (var at = 0; at < sql.Length && depth >= 0; at++)
        {
            depth += sql[at] switch
            {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            if (depth == 0 && began < 0 && Begins("WHERE", at))
            {
                began = at + "WHERE".Length;
            }

            if (depth < 0 || at == sql.Length - 1 || (depth == 0 && began > 0 && Begins("RETURNING", at)))
            {
                return began < 0 ? "" : sql[began..at].Trim();
            }
        }

        return "";

        bool Begins(string word, int at) => string.CompareOrdinal(sql, at, word, 0, word.Length) == 0;
    }

    // functions of extensions are not ours
    private const string Functions = """
        SELECT p.proname AS name, p.prosrc AS source
        FROM pg_proc p
        WHERE p.pronamespace = 'bellhop'::regnamespace
            AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
        """;

    private const string OfProjects = """
        SELECT DISTINCT c.relname
        FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'project_id'
        WHERE c.relnamespace = 'bellhop'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
        """;

    [GeneratedRegex(@"(?<![:\w])@(\w+)")]
    private static partial Regex Parameter();

    [GeneratedRegex(@"\b(?:UPDATE|DELETE FROM) jobs\b")]
    private static partial Regex ChangeOfJobs();

    [GeneratedRegex(@"\b(?:claim_no|state|lease_until)\b")]
    private static partial Regex Guard();

    [GeneratedRegex(@"\bpg_notify\b|\bNOTIFY\s+\w", RegexOptions.IgnoreCase)]
    private static partial Regex Notify();
}
