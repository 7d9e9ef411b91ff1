using Bellhop.Infrastructure.Secrets;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Secrets;

public sealed class CrockfordBase32Tests
{
    [Theory]
    [InlineData("00000000-0000-0000-0000-000000000000", "00000000000000000000000000")]
    [InlineData("ffffffff-ffff-ffff-ffff-ffffffffffff", "7zzzzzzzzzzzzzzzzzzzzzzzzz")]
    [InlineData("01890a5d-ac96-774b-bcce-b302099a8057", "01h455vb4pex5vsknk084sn02q")]
    public void A_uuid_is_26_characters_and_reads_back(string id, string text)
    {
        Assert.Equal(text, CrockfordBase32.Encode(Guid.Parse(id)));
        Assert.True(CrockfordBase32.TryDecode(text, out var found));
        Assert.Equal(Guid.Parse(id), found);
    }

    [Fact]
    public void The_texts_of_later_uuids_sort_after_earlier_ones()
    {
        var start = DateTimeOffset.UnixEpoch.AddYears(60);
        var texts = Enumerable
            .Range(0, 100)
            .Select(second => CrockfordBase32.Encode(Guid.CreateVersion7(start.AddSeconds(second))))
            .ToArray();

        Assert.Equal(texts.Order(StringComparer.Ordinal), texts);
    }

    [Theory]
    [InlineData("")]
    [InlineData("0000000000000000000000000")]
    [InlineData("000000000000000000000000000")]
    [InlineData("80000000000000000000000000")]
    [InlineData("0000000000000000000000000A")]
    [InlineData("0000000000000000000000000l")]
    [InlineData("0000000000000000000000000u")]
    public void Another_spelling_is_not_read(string text) => Assert.False(CrockfordBase32.TryDecode(text, out _));
}
