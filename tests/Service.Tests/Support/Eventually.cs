using System.Diagnostics;
using Xunit;

namespace Bellhop.Tests.Support;

/// <summary>Waits for what the service does on its own, by looking again until a deadline.</summary>
public static class Eventually
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>Until the question is answered with yes.</summary>
    public static async Task BeTrueAsync(Func<Task<bool>> question, string what, TimeSpan? patience = null)
    {
        var watch = Stopwatch.StartNew();
        while (!await question())
        {
            Assert.True(watch.Elapsed < (patience ?? Patience), $"It did not become true in time: {what}");
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
    }

    /// <summary>Until there is a value that fits; answers it.</summary>
    public static async Task<T> FitAsync<T>(Func<Task<T>> value, Func<T, bool> fits, TimeSpan? patience = null)
    {
        var watch = Stopwatch.StartNew();
        while (true)
        {
            var found = await value();
            if (fits(found))
            {
                return found;
            }

            Assert.True(watch.Elapsed < (patience ?? Patience), $"The last value seen was {found}");
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }
    }
}
