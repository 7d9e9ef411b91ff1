using Bellhop.Infrastructure.Secrets;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Secrets;

public sealed class AddRingKeyTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("bellhop-ring-").FullName;

    private string Ring => Path.Combine(_folder, "keyring");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task The_new_key_stands_first_and_the_old_lines_stay()
    {
        var old = KeyRing.LoadOrCreate(Ring);
        await File.AppendAllTextAsync(Ring, "# kept\n", TestContext.Current.CancellationToken);

        var run = await RunAsync();

        Assert.Equal((0, ""), (run.ExitCode, run.Errors));
        var ring = KeyRing.Load(Ring);
        Assert.Equal([old.Active.Id], ring.Keys.Skip(1).Select(key => key.Id));
        Assert.Contains($"\"key\":\"{ring.Active.Id}\"", run.Output, StringComparison.Ordinal);
        Assert.EndsWith(
            "# kept\n",
            await File.ReadAllTextAsync(Ring, TestContext.Current.CancellationToken),
            StringComparison.Ordinal
        );
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Ring));
        Assert.Single(Directory.GetFiles(_folder));
    }

    [Fact]
    public async Task Without_a_ring_there_is_nothing_to_add_to()
    {
        var run = await RunAsync();

        Assert.Equal(78, run.ExitCode);
        Assert.False(File.Exists(Ring));
    }

    private Task<CliProcess> RunAsync() =>
        CliProcess.RunAsync(
            new Dictionary<string, string> { ["Bellhop__KeyRing"] = Ring },
            "secrets",
            "add-key",
            "--json"
        );
}
