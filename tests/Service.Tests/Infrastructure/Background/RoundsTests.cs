using Bellhop.Infrastructure.Background;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Background;

public sealed class RoundsTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task They_follow_each_other_while_anybody_is_in_and_begin_again_with_the_next()
    {
        using var begun = new SemaphoreSlim(0);
        using var ends = new SemaphoreSlim(0);
        var rounds = New(async () =>
        {
            begun.Release();
            await ends.WaitAsync(Token);
        });
        rounds.Enter();
        rounds.Enter();
        Assert.True(await begun.WaitAsync(Patience, Token));

        rounds.Leave();
        ends.Release();
        Assert.True(await begun.WaitAsync(Patience, Token), "one is still in");

        rounds.Leave();
        ends.Release();
        rounds.Enter();
        Assert.True(await begun.WaitAsync(Patience, Token), "somebody came back");
        Assert.Equal(0, begun.CurrentCount);
        rounds.Leave();
        ends.Release();
    }

    [Fact]
    public async Task One_that_fails_is_followed_by_the_next()
    {
        using var second = new SemaphoreSlim(0);
        var count = 0;
        var rounds = New(() =>
            Interlocked.Increment(ref count) == 1
                ? throw new InvalidOperationException("the first one fails")
                : Task.FromResult(second.Release())
        );
        rounds.Enter();

        Assert.True(await second.WaitAsync(Patience, Token));
        rounds.Leave();
    }

    private static Rounds New(Func<Task> round) => new(round, TimeProvider.System, NullLogger.Instance);
}
