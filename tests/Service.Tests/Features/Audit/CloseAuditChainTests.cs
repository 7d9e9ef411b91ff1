using Bellhop.Features.Audit;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Xunit;

namespace Bellhop.Tests.Features.Audit;

public sealed class CloseAuditChainTests(ServiceFixture service)
{
    private const string Links = "SELECT entry_id FROM bellhop.audit_links WHERE project_id = @ProjectId ORDER BY seq";
    private const string Unlinked = "SELECT id FROM bellhop.audit_unlinked WHERE project_id = @ProjectId";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_recorded_is_linked_within_seconds_and_its_mark_is_gone()
    {
        var audited = await AuditedProject.CreateAsync(service);

        var links = await Eventually.FitAsync(() => audited.QueryAsync<Guid>(Links), links => links.Length == 5);

        Assert.Equal(await audited.EntriesAsync(), links.Order(ById));
        Assert.Empty(await audited.QueryAsync<Guid>(Unlinked));
    }

    [Fact]
    public async Task An_entry_that_commits_after_newer_ones_were_linked_is_linked_behind_them()
    {
        var audited = await AuditedProject.CreateAsync(service);
        await using var late = await service.Database.OpenConnectionAsync(Token);
        await using var transaction = await late.BeginTransactionAsync(Token);
        var id = Guid.CreateVersion7();
        await late.ExecuteAsync(
            """
            INSERT INTO audit_entries (project_id, id, at, actor, method, action, target)
            VALUES (@ProjectId, @Id, now(), 'key:late', 'api_key', 'tests.late', 'tests/late')
            """.With(new { ProjectId = audited.Project.Id, Id = id }, Token)
        );
        await audited.Project.UseKeyAsync("viewer");
        await CloseAsync();
        Assert.Equal(6, (await audited.QueryAsync<Guid>(Links)).Length);

        await transaction.CommitAsync(Token);
        await CloseAsync();

        Assert.Equal(id, (await audited.QueryAsync<Guid>(Links))[^1]);
        Assert.Null((await audited.VerifyAsync()).Broken);
    }

    [Fact]
    public async Task More_than_one_batch_is_linked_while_others_close_as_well()
    {
        var audited = await AuditedProject.CreateAsync(service, secrets: 0);
        await audited.ExecuteAsync(
            """
            INSERT INTO bellhop.audit_entries (project_id, id, at, actor, method, action, target, before, after)
            SELECT @ProjectId, bellhop.new_id(), now(), 'key:many', 'api_key', 'tests.many', 'tests/' || n, NULL, '{ "n" : 1 }'
            FROM generate_series(1, 1203) AS n
            """
        );

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => CloseAsync()));

        await Eventually.FitAsync(() => audited.QueryAsync<Guid>(Unlinked), marks => marks.Length == 0);
        var chain = await audited.VerifyAsync();
        Assert.Equal((1205, null), (chain.Entries, chain.Broken));
    }

    [Fact]
    public async Task A_chain_that_was_cut_is_not_gone_on_with_and_the_others_are()
    {
        var broken = await AuditedProject.CreateAsync(service);
        var sound = await AuditedProject.CreateAsync(service);
        Assert.Null((await broken.VerifyAsync()).Broken);
        await broken.ExecuteAsync("DELETE FROM bellhop.audit_links WHERE project_id = @ProjectId AND seq > 3");

        await broken.Project.UseKeyAsync("viewer");
        await sound.Project.UseKeyAsync("viewer");
        await CloseAsync();

        Assert.Equal(3, (await broken.QueryAsync<Guid>(Links)).Length);
        Assert.Contains("the links behind 3 were removed, up to 5", (await broken.VerifyAsync()).Broken);
        var chain = await sound.VerifyAsync();
        Assert.Equal((6, null), (chain.Entries, chain.Broken));
    }

    // of two at once one closes, and the other says that there was nothing to do
    private async Task CloseAsync()
    {
        for (var round = 0; round < 3; round++)
        {
            (await service.SendAsync(Guid.Empty, new CloseAuditChain.Command())).Unwrap();
            await Task.Yield();
        }
    }

    private static readonly Comparer<Guid> ById = Comparer<Guid>.Create(
        (one, other) => string.CompareOrdinal($"{one}", $"{other}")
    );
}
