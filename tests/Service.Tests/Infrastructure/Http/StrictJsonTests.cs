using System.Text;
using Bellhop.Infrastructure.Http;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Http;

public sealed class StrictJsonTests
{
    [Theory]
    [InlineData("{}")]
    [InlineData("7")]
    [InlineData("null")]
    [InlineData("""{"a":{"a":[{"a":1},{"a":2}]},"b":"A😀"}""")]
    [InlineData("""{"":1," ":2,"A":3,"a":4}""")]
    [InlineData("1e308")]
    [InlineData("-0")]
    [InlineData("123456789012345678901234567890.1234567890")]
    [InlineData("\"\\ud83d\\ude00 \\\\u0000\"")]
    public void Sound_json_passes(string json) => Assert.Null(Check(json));

    [Theory]
    [InlineData("""{"a":1,"a":2}""", "/a", "duplicate_key")]
    [InlineData("""{"a":1,"\u0061":2}""", "/a", "duplicate_key")]
    [InlineData("""{"a":[0,{"b":1,"c":{},"b":2}]}""", "/a/1/b", "duplicate_key")]
    [InlineData("""{"a~b/c":{"x":1,"x":1}}""", "/a~0b~1c/x", "duplicate_key")]
    [InlineData("""[[],["\u0000"]]""", "/1/0", "invalid_character")]
    [InlineData("""{"\u0000":1}""", "", "invalid_character")]
    [InlineData("""{"a":{"b":1,"\u0000":1}}""", "/a", "invalid_character")]
    [InlineData("""{"a":"\ud800"}""", "/a", "invalid_surrogate")]
    [InlineData("""{"a":"\udc00\ud800"}""", "/a", "invalid_surrogate")]
    [InlineData("""{"a":"\ud800A"}""", "/a", "invalid_surrogate")]
    [InlineData("""{"\ud800":1}""", "", "invalid_surrogate")]
    [InlineData("""{"a":1e400}""", "/a", "number_out_of_range")]
    [InlineData("[1,-1e309]", "/1", "number_out_of_range")]
    [InlineData("", "", "malformed_json")]
    [InlineData("{", "", "malformed_json")]
    [InlineData("""{"a":01}""", "/a", "malformed_json")]
    [InlineData("""{"a":1,}""", "", "malformed_json")]
    [InlineData("{} {}", "", "malformed_json")]
    [InlineData("""{"a":NaN}""", "/a", "malformed_json")]
    [InlineData("// comment", "", "malformed_json")]
    [InlineData("'a'", "", "malformed_json")]
    public void What_readers_disagree_about_is_refused_with_its_place(string json, string pointer, string code)
    {
        var fault = Check(json);

        Assert.Equal(code, fault?.Code);
        if (code != "malformed_json")
        {
            Assert.Equal(pointer, fault!.Pointer);
        }
    }

    [Theory]
    [InlineData('[', ']', "")]
    [InlineData('{', '}', "\"a\":")]
    public void Depth_64_passes_and_65_does_not(char open, char close, string name)
    {
        Assert.Null(Check(Nested(64)));
        Assert.Equal("too_deep", Check(Nested(65))?.Code);

        string Nested(int depth) =>
            string.Concat(Enumerable.Repeat(open + name, depth - 1)) + open + new string(close, depth);
    }

    [Theory]
    [InlineData(new byte[] { (byte)'"', 0xFF, (byte)'"' })]
    [InlineData(new byte[] { (byte)'"', 0xC0, 0x80, (byte)'"' })]
    [InlineData(new byte[] { (byte)'"', 0xED, 0xA0, 0x80, (byte)'"' })]
    public void What_is_not_utf8_is_refused(byte[] json) => Assert.Equal("invalid_utf8", StrictJson.Check(json)?.Code);

    [Fact]
    public void A_duplicate_is_found_among_many_names()
    {
        var names = string.Join(',', Enumerable.Range(0, 10_000).Select(number => $"\"n{number}\":0"));

        Assert.Null(Check($"{{{names}}}"));
        Assert.Equal("/n7", Check($"{{{names},\"n7\":0}}")?.Pointer);
    }

    private static FieldError? Check(string json) => StrictJson.Check(Encoding.UTF8.GetBytes(json));
}
