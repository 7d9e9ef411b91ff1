using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.Audit;

public sealed class VerifyAuditTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>What somebody with the database, and without the key ring, may do to it; and what is said of it.</summary>
    public static TheoryData<string, string, string> Damages =>
        new()
        {
            {
                "an edited entry",
                "UPDATE bellhop.audit_entries SET actor = 'key:somebody' WHERE project_id = @ProjectId AND id = @Entry",
                "link 3: the entry"
            },
            {
                "an entry whose after was edited",
                """UPDATE bellhop.audit_entries SET after = '{"value": "***"}' WHERE project_id = @ProjectId AND id = @Entry""",
                "link 3: the entry"
            },
            {
                "a removed entry",
                "DELETE FROM bellhop.audit_entries WHERE project_id = @ProjectId AND id = @Entry",
                "link 3: its entry"
            },
            {
                "a changed link",
                "UPDATE bellhop.audit_links SET hash = sha256('x') WHERE project_id = @ProjectId AND seq = 3",
                "link 3: the entry"
            },
            {
                "a removed link",
                "DELETE FROM bellhop.audit_links WHERE project_id = @ProjectId AND seq = 3",
                "link 3 was removed"
            },
            {
                "a chain that was cut",
                """
                    DELETE FROM bellhop.audit_links WHERE project_id = @ProjectId AND seq > 3;
                    DELETE FROM bellhop.audit_entries WHERE project_id = @ProjectId AND id > @Entry
                    """,
                "the links behind 3 were removed, up to 5"
            },
            {
                "a chain that was cut with its head",
                """
                    DELETE FROM bellhop.audit_links WHERE project_id = @ProjectId AND seq > 3;
                    DELETE FROM bellhop.audit_entries WHERE project_id = @ProjectId AND id > @Entry;
                    UPDATE bellhop.audit_heads AS h SET seq = 3, hash = l.hash FROM bellhop.audit_links AS l
                    WHERE h.project_id = @ProjectId AND l.project_id = @ProjectId AND l.seq = 3
                    """,
                "the head is not the one that was sealed"
            },
            {
                "another project's seal",
                """
                    UPDATE bellhop.audit_heads SET seal = (SELECT seal FROM bellhop.audit_heads WHERE project_id <> @ProjectId LIMIT 1)
                    WHERE project_id = @ProjectId
                    """,
                "the seal of the head is not one of the key ring's"
            },
            {
                "a head that was removed",
                "DELETE FROM bellhop.audit_heads WHERE project_id = @ProjectId",
                "the chain has links and no head"
            },
            {
                "a link that was added",
                """
                    INSERT INTO bellhop.audit_links (project_id, seq, entry_id, hash)
                    SELECT @ProjectId, 6, gen_random_uuid(), sha256('x')
                    """,
                "link 6: its entry"
            },
            {
                "an entry that was slipped in",
                """
                    INSERT INTO bellhop.audit_entries (project_id, id, at, actor, method, action, target)
                    VALUES (@ProjectId, '01900000-0000-7000-8000-000000000000', now(), 'key:x', 'api_key', 'a.b', 'a/b');
                    DELETE FROM bellhop.audit_unlinked WHERE project_id = @ProjectId
                    """,
                "has no link"
            },
            {
                "an entry that was removed before it was linked",
                """
                    INSERT INTO bellhop.audit_unlinked (project_id, id)
                    VALUES (@ProjectId, '01900000-0000-7000-8000-000000000000')
                    """,
                "was removed before it was linked"
            },
        };

    [Fact]
    public async Task A_chain_that_nobody_touched_holds_and_says_where_it_ends()
    {
        var audited = await AuditedProject.CreateAsync(service);

        var chain = await audited.VerifyAsync();

        // the project, its key, and three secrets
        Assert.Equal((audited.Project.Name, 5, null), (chain.Project, chain.Entries, chain.Broken));
        Assert.Matches("^5:[0-9a-f]{64}$", chain.Head);
    }

    [Theory]
    [MemberData(nameof(Damages))]
    public async Task What_was_done_to_it_by_SQL_is_found(string what, string sql, string said)
    {
        await AuditedProject.CreateAsync(service); // whose seal it is
        var audited = await AuditedProject.CreateAsync(service);
        Assert.Null((await audited.VerifyAsync()).Broken);
        var entry = (
            await audited.QueryAsync<Guid>(
                "SELECT entry_id FROM bellhop.audit_links WHERE project_id = @ProjectId AND seq = 3"
            )
        )[0];

        Assert.True(await audited.ExecuteAsync(sql, new { Entry = entry }) > 0, what);

        var chain = await audited.VerifyAsync();
        Assert.Contains(said, chain.Broken, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_chain_that_was_made_anew_after_a_cut_is_found_by_who_noted_its_head()
    {
        var audited = await AuditedProject.CreateAsync(service);
        var noted = (await audited.VerifyAsync()).Head!;
        await audited.Project.UseKeyAsync("viewer");
        Assert.Null((await audited.VerifyAsync(noted)).Broken); // what comes later does not trouble it

        await audited.ExecuteAsync(
            """
            DELETE FROM bellhop.audit_heads WHERE project_id = @ProjectId;
            DELETE FROM bellhop.audit_links WHERE project_id = @ProjectId;
            DELETE FROM bellhop.audit_entries WHERE project_id = @ProjectId
            """
        );
        await audited.Project.UseKeyAsync("viewer");

        Assert.Null((await audited.VerifyAsync()).Broken); // nothing is left that could tell
        Assert.Contains("link 5, which was expected, is not there", (await audited.VerifyAsync(noted)).Broken);
        var other = $"1:{new string('0', 64)}";
        Assert.Contains("link 1: it is not the one that was expected", (await audited.VerifyAsync(other)).Broken);
    }

    [Theory]
    [InlineData("UPDATE audit_entries SET actor = 'x'")]
    [InlineData("DELETE FROM audit_entries")]
    [InlineData("TRUNCATE audit_entries")]
    [InlineData("UPDATE audit_links SET seq = 0")]
    [InlineData("DELETE FROM audit_links")]
    [InlineData("TRUNCATE audit_links")]
    [InlineData("DELETE FROM audit_heads")]
    [InlineData("ALTER TABLE audit_entries DISABLE TRIGGER ALL")]
    public async Task The_running_role_may_not(string sql)
    {
        await using var connection = await service.Database.OpenConnectionAsync(Token);

        var refused = await Assert.ThrowsAsync<PostgresException>(() => connection.ExecuteAsync(sql.With(null, Token)));

        Assert.Equal(PostgresErrorCodes.InsufficientPrivilege, refused.SqlState);
    }

    [Fact]
    public async Task The_command_line_ends_with_1_and_the_first_broken_row()
    {
        var audited = await AuditedProject.CreateAsync(service);
        var name = audited.Project.Name;

        var sound = await RunAsync("audit", "verify", "--project", name);
        await audited.ExecuteAsync(
            "UPDATE bellhop.audit_entries SET target = 'x' WHERE project_id = @ProjectId AND action = 'projects.create'"
        );
        var broken = await RunAsync("audit", "verify", "--project", name);
        var unknown = await RunAsync("audit", "verify", "--project", "nobody");
        var misspelt = await RunAsync("audit", "verify", "--project", name, "--expect", "5");

        Assert.Equal(0, sound.ExitCode);
        Assert.Matches($"^{name}: 5 entries, head 5:[0-9a-f]{{64}}$", sound.Output);
        Assert.Equal(1, broken.ExitCode);
        Assert.StartsWith(
            $"{name}: broken after 0 entries: link 1: the entry",
            broken.Output,
            StringComparison.Ordinal
        );
        Assert.Equal((3, 4), (unknown.ExitCode, misspelt.ExitCode));
    }

    private Task<CliProcess> RunAsync(params string[] words) => CliProcess.RunAsync(CliProcess.On(service), words);
}
