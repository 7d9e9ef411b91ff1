using Bellhop.Features.ApiKeys;
using Xunit;

namespace Bellhop.Tests.Features.ApiKeys;

public sealed class ApiKeyTests
{
    private static readonly Guid Id = Guid.Parse("01890a5d-ac96-774b-bcce-b302099a8057");

    [Fact]
    public void A_key_is_prefix_id_secret_and_checksum()
    {
        var key = ApiKey.Create(Id);

        Assert.Matches("^bh_[0-9a-z]{26}_[0-9A-Za-z]{49}$", key.Text);
        Assert.Equal(ApiKey.Length, key.Text.Length);
        Assert.Equal("01h455vb4pex5vsknk084sn02q", key.Id);
        Assert.NotEqual(key.Text, ApiKey.Create(Id).Text);
    }

    [Fact]
    public void A_key_reads_back_as_itself()
    {
        var key = ApiKey.Create(Id);

        var read = ApiKey.Parse(key.Text);

        Assert.Equal((key.RowId, key.Id, key.Text), (read!.RowId, read.Id, read.Text));
        Assert.True(read.Matches(key.Sha256));
        Assert.False(ApiKey.Create(Id).Matches(key.Sha256));
    }

    [Fact]
    public void A_key_with_one_character_changed_is_none()
    {
        var text = ApiKey.Create(Id).Text;

        for (var at = 0; at < text.Length; at++)
        {
            Assert.Null(ApiKey.Parse(text[..at] + (text[at] == 'x' ? 'y' : 'x') + text[(at + 1)..]));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("bh_")]
    [InlineData("Bearer bh_")]
    public void Other_text_is_no_key(string text) => Assert.Null(ApiKey.Parse(text));

    [Fact]
    public void The_text_of_a_key_as_an_object_holds_no_secret() =>
        Assert.Equal("bh_01h455vb4pex5vsknk084sn02q", ApiKey.Create(Id).ToString());
}
