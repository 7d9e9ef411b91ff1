using Bellhop.Features.System;
using Bellhop.Tests.Support;
using Dapper;
using Xunit;

namespace Bellhop.Tests.Features.System;

public sealed class ForgetIdempotencyKeysTests(ServiceFixture service)
{
    [Fact]
    public async Task An_answer_is_kept_for_a_day()
    {
        var project = await service.NewProjectAsync();
        foreach (var key in new[] { "young", "old" })
        {
            await project.Http.PostAsync("/v1/jobs", """{"kind":"noop"}""", key);
        }

        await using var connection = await project.Database.OpenConnectionAsync(TestContext.Current.CancellationToken);
        await connection.ExecuteAsync(
            """
            UPDATE idempotency_keys SET created_at = created_at - interval '1 day'
            WHERE project_id = @Id AND created_at = (SELECT max(created_at) FROM idempotency_keys WHERE project_id = @Id)
            """,
            new { project.Id }
        );
        await project.SendAsync(new ForgetIdempotencyKeys.Command());

        var young = await project.Http.PostAsync("/v1/jobs", """{"kind":"noop"}""", "young");
        var old = await project.Http.PostAsync("/v1/jobs", """{"kind":"noop"}""", "old");
        Assert.Equal((true, false), (young.IsReplayed, old.IsReplayed));
    }
}
