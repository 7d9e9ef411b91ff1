using System.Text;
using System.Text.Json;
using Bellhop.Infrastructure.Expressions;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Expressions;

public sealed class ValueTests
{
    [Theory]
    [InlineData("null", Kinds.Null)]
    [InlineData("true", Kinds.Bool)]
    [InlineData("1", Kinds.Int)]
    [InlineData("-9223372036854775808", Kinds.Int)]
    [InlineData("9223372036854775808", Kinds.Double)]
    [InlineData("1.0", Kinds.Double)]
    [InlineData("1e2", Kinds.Double)]
    [InlineData("\"a\"", Kinds.String)]
    [InlineData("[1]", Kinds.List)]
    [InlineData("{\"a\":1}", Kinds.Map)]
    public void A_document_gives_a_value_of_its_kind_that_is_written_as_it_came(string json, Kinds kind)
    {
        var value = Value.From(JsonElement.Parse(json));

        Assert.Equal(kind, value.Kind);
        Assert.Equal(json, Written(value));
    }

    [Fact]
    public void The_default_value_is_null()
    {
        Assert.Equal(Kinds.Null, default(Value).Kind);
        Assert.Equal("null", Written(default));
        Assert.Equal(Kinds.Null, Value.From(default(JsonElement)).Kind);
        Assert.Equal(Kinds.Null, Value.From((string?)null).Kind);
    }

    [Fact]
    public void A_value_made_by_hand_is_written_in_order()
    {
        var value = Value.Map(
            ("z", Value.From("é")),
            ("a", Value.List(Value.From(1), Value.From(2.5), Value.From(true), Value.Null))
        );

        Assert.Equal("""{"z":"\u00E9","a":[1,2.5,true,null]}""", Written(value));
        Assert.Equal("""{"z":"é","a":[1,2.5,true,null]}""", value.ToText());
    }

    [Fact]
    public void Only_a_bool_is_true_or_false()
    {
        Assert.True(Value.From(true).TryGetBool(out var answer) && answer);
        Assert.False(Value.From(1).TryGetBool(out _));
        Assert.False(Value.From("true").TryGetBool(out _));
        Assert.False(Value.Null.TryGetBool(out _));
    }

    [Fact]
    public void A_number_that_JSON_has_not_is_a_bug() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Value.From(double.NaN));

    [Fact]
    public void A_condition_that_gives_no_bool_is_an_error()
    {
        var condition = Expression.Compile("data.flag", Evaluation.Scope).Value;
        var number = Expression.Compile("data.total", Evaluation.Scope).Value;

        Assert.True(condition.Test(Evaluation.Variables).Value);
        Assert.Equal("type_mismatch", number.Test(Evaluation.Variables).Error?.Code);
    }

    [Fact]
    public void A_wrong_number_of_variables_is_a_bug()
    {
        var expression = Expression.Compile("data.flag", Evaluation.Scope).Value;

        Assert.Throws<ArgumentException>(() => expression.Evaluate(Value.Null));
    }

    [Theory]
    [InlineData("data.lone == 'a'")]
    [InlineData("data.lone + 'a'")]
    [InlineData("data.lone")]
    [InlineData("data == data")]
    [InlineData("data.map(k, k)")]
    public void Text_that_is_no_Unicode_is_an_error(string source)
    {
        var variables = Evaluation.VariablesWith("""{"lone":"\ud800","\udc00":1}""");

        Assert.Equal("bad_text@1:1", Evaluation.Of(source, variables));
    }

    private static string Written(Value value)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            Assert.True(value.TryWriteTo(writer));
        }

        return Encoding.UTF8.GetString(stream.ToArray());
    }
}
