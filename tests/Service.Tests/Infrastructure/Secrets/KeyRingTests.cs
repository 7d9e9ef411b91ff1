using System.Runtime.Versioning;
using System.Security.Cryptography;
using Bellhop.Infrastructure.Secrets;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Secrets;

[UnsupportedOSPlatform("windows")]
public sealed class KeyRingTests : IDisposable
{
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private readonly string _folder = Directory.CreateTempSubdirectory("bellhop-").FullName;

    private string FilePath => Path.Combine(_folder, "keyring");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_first_key_is_the_active_one_and_all_are_found()
    {
        Write("# made by hand", "", $"0a1b2c3d:{NewKey()}", $"ffffffff:{NewKey()}  ");

        var ring = KeyRing.Load(FilePath);

        Assert.Equal(["0a1b2c3d", "ffffffff"], ring.Keys.Select(key => key.Id));
        Assert.Equal("0a1b2c3d", ring.Active.Id);
        Assert.Equal("ffffffff", ring.Find("ffffffff")?.Id);
        Assert.Null(ring.Find("00000000"));
    }

    [Fact]
    public void A_missing_ring_is_made_for_its_owner_only()
    {
        var path = Path.Combine(_folder, "state", "keyring");

        var made = KeyRing.LoadOrCreate(path);
        var read = KeyRing.Load(path);

        Assert.Equal(OwnerOnly, File.GetUnixFileMode(path));
        Assert.Equal(made.Active.Id, read.Active.Id);
        Assert.Equal(made.Active.CheckValue, read.Active.CheckValue);
        Assert.Equal([path], Directory.GetFiles(Path.Combine(_folder, "state")));
    }

    [Fact]
    public void A_configured_ring_that_is_missing_is_not_made()
    {
        Assert.Throws<KeyRingException>(() => KeyRing.Load(FilePath));
        Assert.Empty(Directory.GetFiles(_folder));
    }

    [Fact]
    public async Task Of_eight_that_start_together_one_makes_the_ring_and_all_read_it()
    {
        for (var round = 0; round < 20; round++)
        {
            var path = Path.Combine(_folder, $"keyring{round}");
            using var start = new Barrier(8);
            var rings = await Task.WhenAll(
                Enumerable
                    .Range(0, 8)
                    .Select(_ =>
                        Task.Factory.StartNew(
                            () =>
                            {
                                start.SignalAndWait();
                                return KeyRing.LoadOrCreate(path);
                            },
                            TestContext.Current.CancellationToken,
                            TaskCreationOptions.LongRunning,
                            TaskScheduler.Default
                        )
                    )
            );

            Assert.Single(rings.Select(ring => Convert.ToHexString(ring.Active.CheckValue)).Distinct());
        }

        Assert.Equal(20, Directory.GetFiles(_folder).Length);
    }

    [Theory]
    [InlineData(UnixFileMode.GroupRead)]
    [InlineData(UnixFileMode.GroupWrite)]
    [InlineData(UnixFileMode.OtherRead)]
    [InlineData(UnixFileMode.OtherExecute)]
    public void A_ring_that_others_may_access_is_refused(UnixFileMode extra)
    {
        Write($"0a1b2c3d:{NewKey()}");
        File.SetUnixFileMode(FilePath, OwnerOnly | extra);

        var error = Assert.Throws<KeyRingException>(() => KeyRing.LoadOrCreate(FilePath));

        Assert.Contains(FilePath, error.Message, StringComparison.Ordinal);
        Assert.Contains("chmod 600", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("# only a comment")]
    [InlineData("0a1b2c3d")]
    [InlineData("0a1b2c3d:SECRET")]
    [InlineData("0A1B2C3D:{key}")]
    [InlineData("0a1b2c3:{key}")]
    [InlineData("0a1b2c3d:{key}{key}")]
    [InlineData("0a1b2c3d:{key}\n0a1b2c3d:{key}")]
    [InlineData("0a1b2c3d:{key}\n{key}")]
    public void A_ring_that_does_not_parse_to_its_end_is_refused_and_not_shown(string text)
    {
        var key = NewKey();
        Write(text.Replace("{key}", key, StringComparison.Ordinal));

        var error = Assert.Throws<KeyRingException>(() => KeyRing.LoadOrCreate(FilePath));

        Assert.Equal(FilePath, error.Path);
        Assert.DoesNotContain("SECRET", error.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(key, error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_ring_longer_than_64_kibibytes_is_refused()
    {
        Write($"0a1b2c3d:{NewKey()}", new string('#', 65_536));

        Assert.Throws<KeyRingException>(() => KeyRing.Load(FilePath));
    }

    [Fact]
    public void The_check_value_tells_another_key_under_the_same_id()
    {
        Write($"0a1b2c3d:{NewKey()}");
        var right = KeyRing.Load(FilePath).Active;
        Write($"0a1b2c3d:{NewKey()}");
        var wrong = KeyRing.Load(FilePath).Active;

        Assert.Equal(right.Id, wrong.Id);
        Assert.Equal(32, right.CheckValue.Length);
        Assert.NotEqual(right.CheckValue, wrong.CheckValue);
    }

    [Fact]
    public void Texts_of_a_ring_hold_ids_only()
    {
        Write($"0a1b2c3d:{NewKey()}", $"ffffffff:{NewKey()}");

        var ring = KeyRing.Load(FilePath);

        Assert.Equal("key ring 0a1b2c3d, ffffffff", ring.ToString());
        Assert.Equal("0a1b2c3d", ring.Active.ToString());
    }

    private static string NewKey() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    private void Write(params string[] lines)
    {
        File.WriteAllLines(FilePath, lines);
        File.SetUnixFileMode(FilePath, OwnerOnly);
    }
}
