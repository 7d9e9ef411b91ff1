using Bellhop.Features.Accounts;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class PasswordHashesTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_hash_is_of_its_password_alone_and_says_how_it_was_made()
    {
        using var hashes = new PasswordHashes();
        using var place = hashes.Enter().Unwrap();

        var phc = await place.HashAsync("correct horse battery", Token);
        var again = await place.HashAsync("correct horse battery", Token);

        Assert.Matches(@"^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$", phc);
        Assert.NotEqual(phc, again);
        Assert.Equal(new PasswordVerdict(true, false), await place.VerifyAsync(phc, "correct horse battery", Token));
        foreach (var other in new[] { "correct horse batterz", "correct horse battery ", "Correct horse battery" })
        {
            Assert.Equal(default, await place.VerifyAsync(phc, other, Token));
        }
    }

    [Fact]
    public async Task Characters_that_look_alike_are_other_bytes_and_nothing_is_cut_off()
    {
        using var hashes = new PasswordHashes();
        using var place = hashes.Enter().Unwrap();
        var composed = await place.HashAsync("caf\u00e9 caf\u00e9 caf\u00e9", Token);
        var longOne = await place.HashAsync(new string('x', 1024), Token);

        Assert.False((await place.VerifyAsync(composed, "cafe\u0301 cafe\u0301 cafe\u0301", Token)).IsRight);
        Assert.False((await place.VerifyAsync(longOne, new string('x', 1023), Token)).IsRight);
        Assert.True((await place.VerifyAsync(longOne, new string('x', 1024), Token)).IsRight);
    }

    [Theory]
    [InlineData("$argon2id$v=19$m=19456,t=3,p=1$", 3, 19456)]
    [InlineData("$argon2id$v=19$m=8192,t=2,p=1$", 2, 8192)]
    public async Task What_was_made_with_other_parameters_is_right_and_outdated(string prefix, int passes, int memory)
    {
        using var hashes = new PasswordHashes();
        using var place = hashes.Enter().Unwrap();
        var salt = "0123456789abcdef"u8.ToArray();
        var derived = NSec
            .Cryptography.PasswordBasedKeyDerivationAlgorithm.Argon2id(
                new NSec.Cryptography.Argon2Parameters
                {
                    DegreeOfParallelism = 1,
                    MemorySize = memory,
                    NumberOfPasses = passes,
                }
            )
            .DeriveBytes("correct horse battery"u8, salt, 32);
        var phc = $"{prefix}{Convert.ToBase64String(salt).TrimEnd('=')}${Convert.ToBase64String(derived).TrimEnd('=')}";

        Assert.Equal(new PasswordVerdict(true, true), await place.VerifyAsync(phc, "correct horse battery", Token));
        Assert.Equal(default, await place.VerifyAsync(phc, "correct horse batterz", Token));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("correct horse battery")]
    [InlineData("$argon2id$v=19$m=99999999,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg")] // all the memory there is
    [InlineData("$argon2id$v=19$m=19456,t=9999,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg")]
    [InlineData("$argon2i$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg")]
    [InlineData("$2b$12$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy")]
    public async Task What_is_no_hash_has_no_password(string? phc)
    {
        using var hashes = new PasswordHashes();
        using var place = hashes.Enter().Unwrap();

        Assert.Equal(default, await place.VerifyAsync(phc, "correct horse battery", Token));
    }

    [Fact]
    public void The_line_is_short_and_who_comes_then_is_told_when_to_come_again()
    {
        using var hashes = new PasswordHashes();
        var most = Math.Max(1, Environment.ProcessorCount - 1) + PasswordHashes.MaxWaiting;
        var places = Enumerable.Range(0, most).Select(_ => hashes.Enter().Unwrap()).ToArray();

        var refused = hashes.Enter().Problem;
        places[0].Dispose();
        places[0].Dispose();

        Assert.Equal(("rate_limited", 1), (refused?.Kind.Code, refused?.RetryAfterSeconds));
        Assert.Null(hashes.Enter().Problem);
        Assert.NotNull(hashes.Enter().Problem);
    }
}
