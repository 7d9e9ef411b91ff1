using Bellhop.Infrastructure.Secrets;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Secrets;

public sealed class Base62Tests
{
    // CRC-32 of "123456789" is CBF43926 (the check value of CRC-32/ISO-HDLC); the others are of zlib.
    [Theory]
    [InlineData("", "000000")]
    [InlineData("a", "4GEHKN")]
    [InlineData("123456789", "3jZRME")]
    [InlineData("bh_00000000000000000000000000_", "3LWjhj")]
    public void The_checksum_is_crc32_in_six_digits(string text, string checksum) =>
        Assert.Equal(checksum, Base62.Crc32(text));

    [Fact]
    public void Random_text_has_the_length_and_the_62_characters()
    {
        var text = Base62.Random(43 * 200);

        Assert.Equal(43, Base62.Random(43).Length);
        Assert.All(text, character => Assert.True(char.IsAsciiLetterOrDigit(character)));
        Assert.Equal(62, text.Distinct().Count());
        Assert.NotEqual(Base62.Random(43), Base62.Random(43));
    }

    [Fact]
    public void A_text_with_one_character_changed_no_longer_ends_with_its_checksum()
    {
        var key = "bh_" + CrockfordBase32.Encode(Guid.CreateVersion7()) + "_" + Base62.Random(43);
        var text = key + Base62.Crc32(key);

        Assert.Equal(79, text.Length);
        Assert.True(Base62.EndsWithChecksum(text));
        for (var i = 0; i < text.Length; i++)
        {
            Assert.False(Base62.EndsWithChecksum(text[..i] + (text[i] == 'x' ? 'y' : 'x') + text[(i + 1)..]));
        }

        Assert.False(Base62.EndsWithChecksum(""));
        Assert.False(Base62.EndsWithChecksum("000000"));
    }
}
