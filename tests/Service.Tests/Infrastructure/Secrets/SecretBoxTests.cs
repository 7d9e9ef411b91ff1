using System.Security.Cryptography;
using Bellhop.Infrastructure.Secrets;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Secrets;

public sealed class SecretBoxTests : IDisposable
{
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    private static readonly AssociatedData Place = new(Guid.CreateVersion7(), "sources", "secret", "42");

    private readonly string _folder = Directory.CreateTempSubdirectory("bellhop-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("")]
    [InlineData("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")]
    [InlineData("pässwörd 🗝")]
    public void What_was_sealed_opens_at_its_place(string plaintext)
    {
        var box = new SecretBox(NewRing("a"));

        var text = box.Seal(plaintext, Place);
        var opened = box.Open(text, Place);

        Assert.Null(opened.Failure);
        Assert.True(opened.TryGetText(out var found));
        Assert.Equal(plaintext, found);
        Assert.Matches("^v1\\.[0-9a-f]{8}\\.[A-Za-z0-9_-]{16}\\.[A-Za-z0-9_-]{22,}$", text);
        Assert.NotEqual(text, box.Seal(plaintext, Place));
    }

    [Fact]
    public void Bytes_open_as_the_same_bytes()
    {
        var box = new SecretBox(NewRing("a"));
        var secret = RandomNumberGenerator.GetBytes(1000);

        Assert.True(box.Open(box.Seal(secret, Place), Place).TryGetBytes(out var found));
        Assert.Equal(secret, found);
    }

    [Fact]
    public void A_value_copied_to_another_place_does_not_open()
    {
        var box = new SecretBox(NewRing("a"));
        var text = box.Seal("secret", Place);

        Assert.Equal(OpenFailure.Tampered, box.Open(text, Place with { Id = "43" }).Failure);
        Assert.Equal(OpenFailure.Tampered, box.Open(text, Place with { Column = "token" }).Failure);
        Assert.Equal(OpenFailure.Tampered, box.Open(text, Place with { Table = "connections" }).Failure);
        Assert.Equal(OpenFailure.Tampered, box.Open(text, Place with { ProjectId = Guid.Empty }).Failure);
    }

    [Fact]
    public void Two_rows_whose_values_were_swapped_do_not_open()
    {
        var box = new SecretBox(NewRing("a"));
        var other = Place with { Id = "43" };
        var (first, second) = (box.Seal("first", Place), box.Seal("second", other));

        Assert.Equal(OpenFailure.Tampered, box.Open(second, Place).Failure);
        Assert.Equal(OpenFailure.Tampered, box.Open(first, other).Failure);
    }

    [Fact]
    public void A_value_with_any_one_bit_flipped_does_not_open()
    {
        var box = new SecretBox(NewRing("a"));
        // 4 + 16 bytes: its last character carries bits that are no part of any byte.
        var text = box.Seal("four", Place);
        var start = text.IndexOf('.', 3) + 1;
        var flipped = 0;

        for (var i = start; i < text.Length; i++)
        {
            var value = Alphabet.IndexOf(text[i], StringComparison.Ordinal);
            for (var bit = 0; value >= 0 && bit < 6; bit++)
            {
                var changed = text[..i] + Alphabet[value ^ (1 << bit)] + text[(i + 1)..];
                Assert.NotNull(box.Open(changed, Place).Failure);
                flipped++;
            }
        }

        Assert.Equal((16 + 27) * 6, flipped);
    }

    [Theory]
    [InlineData("")]
    [InlineData("secret")]
    [InlineData("v2.00000000.AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("v1.00000000.AAAA.AAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("v1.00000000.AAAAAAAAAAAAAAAA.AAAA")]
    [InlineData("v1.00000000.AAAAAAAAAAAAAAAA.!!!!")]
    [InlineData("v1.00000000.AAAAAAAAAAAAAAAA.AAAAAAAAAAAAAAAAAAAAAA.more")]
    public void Text_that_is_no_sealed_value_is_malformed(string text) =>
        Assert.Equal(OpenFailure.Malformed, new SecretBox(NewRing("a")).Open(text, Place).Failure);

    [Fact]
    public void A_value_of_a_key_that_is_gone_says_so()
    {
        var text = new SecretBox(NewRing("a")).Seal("secret", Place);

        Assert.Equal(OpenFailure.UnknownKey, new SecretBox(NewRing("b")).Open(text, Place).Failure);
    }

    [Fact]
    public void After_a_new_key_is_put_in_front_old_values_still_open()
    {
        var old = new SecretBox(NewRing("a"));
        var text = old.Seal("secret", Place);
        var lines = File.ReadAllText(Path.Combine(_folder, "a"));
        NewRing("b");
        File.AppendAllText(Path.Combine(_folder, "b"), lines);
        var ring = KeyRing.Load(Path.Combine(_folder, "b"));
        var rotated = new SecretBox(ring);

        Assert.True(rotated.Open(text, Place).TryGetText(out var found));
        Assert.Equal("secret", found);
        Assert.Equal(ring.Active.Id, SecretBox.KeyIdOf(rotated.Seal("secret", Place)));
        Assert.NotEqual(ring.Active.Id, SecretBox.KeyIdOf(text));
        Assert.Equal(OpenFailure.UnknownKey, old.Open(rotated.Seal("secret", Place), Place).Failure);
    }

    [Fact]
    public void Texts_of_an_opened_value_do_not_show_it()
    {
        var box = new SecretBox(NewRing("a"));

        Assert.Equal("opened", box.Open(box.Seal("secret", Place), Place).ToString());
        Assert.Equal("Malformed", box.Open("secret", Place).ToString());
    }

    [Fact]
    public void A_table_name_that_would_blur_two_places_is_a_bug() =>
        Assert.Throws<InvalidOperationException>(() =>
            new SecretBox(NewRing("a")).Seal("secret", Place with { Table = "a|b" })
        );

    private KeyRing NewRing(string name) => KeyRing.LoadOrCreate(Path.Combine(_folder, name));
}
