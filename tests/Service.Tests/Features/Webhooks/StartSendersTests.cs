using Bellhop.Features.Webhooks;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Webhooks;

public sealed class StartSendersTests(ServiceFixture service)
{
    private const string MakeDue = """
        UPDATE deliveries
        SET state = 'pending', finished_at = NULL, next_attempt_at = now() - interval '1 second'
        WHERE project_id = @Id
        """;

    [Fact]
    public async Task What_became_due_without_a_signal_is_sent()
    {
        var project = await service.NewProjectAsync();
        await using var receiver = await Receiver.StartAsync();
        await TestWebhooks.CreateAsync(project, receiver.Url);
        await TestWebhooks.PublishAsync(project);
        await TestWebhooks.BecomeAsync(project, "succeeded");
        await TestWebhooks.ExecuteAsync(project.Database, MakeDue, new { project.Id });

        Assert.Null((await project.SendAsync(new StartSenders.Command())).Problem);

        await Eventually.FitAsync(() => Task.FromResult(receiver.Received.Count), count => count == 2);
        await TestWebhooks.BecomeAsync(project, "succeeded");
    }
}
