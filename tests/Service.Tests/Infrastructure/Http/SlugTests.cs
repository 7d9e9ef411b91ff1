using Bellhop.Infrastructure.Http;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Http;

public sealed class SlugTests
{
    [Theory]
    [InlineData("a")]
    [InlineData("7")]
    [InlineData("git-hub-2")]
    [InlineData("a--b")]
    [InlineData("abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc")]
    public void A_name_is_lower_case_letters_digits_and_inner_hyphens(string name) => Assert.True(Slug.IsSound(name));

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("A")]
    [InlineData("a_b")]
    [InlineData("-a")]
    [InlineData("a-")]
    [InlineData("a\n")]
    [InlineData("é")]
    [InlineData("abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcd")]
    [InlineData("0198c0de-0000-7000-8000-000000000000")]
    public void Nothing_else_is_a_name(string? name) => Assert.False(Slug.IsSound(name));

    [Fact]
    public void A_path_holds_an_id_or_a_name()
    {
        var id = Guid.NewGuid();

        Assert.Equal((id, null), (NameOrId.Parse($"{id}").Id, NameOrId.Parse($"{id}").Name));
        Assert.Equal((null, "shop"), (NameOrId.Parse("shop").Id, NameOrId.Parse("shop").Name));
    }
}
