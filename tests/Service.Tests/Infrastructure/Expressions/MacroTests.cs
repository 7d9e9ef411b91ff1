using Xunit;

namespace Bellhop.Tests.Infrastructure.Expressions;

public sealed class MacroTests
{
    [Theory]
    [InlineData("has(event.data)", "true")]
    [InlineData("has(data.total)", "true")]
    [InlineData("has(data.nothing)", "true")]
    [InlineData("has(data.missing)", "false")]
    [InlineData("has(data.customer.address.zip)", "false")]
    [InlineData("has(data.customer['content-type'])", "true")]
    [InlineData("has({'a': 1}.a)", "true")]
    [InlineData("has(data.missing.deeper)", "missing_member@1:10")]
    [InlineData("has(data.text.x)", "type_mismatch@1:15")]
    [InlineData("has(data.customer) && has(data.customer.name)", "true")]
    public void Has_asks_for_the_last_member_only(string source, string expected) =>
        Assert.Equal(expected, Evaluation.Of(source));

    [Theory]
    [InlineData("data.numbers.all(n, n > 0)", "true")]
    [InlineData("data.numbers.all(n, n > 1)", "false")]
    [InlineData("[].all(n, n > 1)", "true")]
    [InlineData("data.mixed.all(n, n < 0)", "false")]
    [InlineData("[1, 'a'].all(n, n > 0)", "type_mismatch@1:19")]
    [InlineData("['a', 0].all(n, n > 0)", "false")]
    [InlineData("data.numbers.exists(n, n == 2)", "true")]
    [InlineData("data.numbers.exists(n, n == 4)", "false")]
    [InlineData("[].exists(n, n == 4)", "false")]
    [InlineData("data.mixed.exists(n, n > 2)", "true")]
    [InlineData("['a', 1].exists(n, n > 2)", "type_mismatch@1:22")]
    [InlineData("data.numbers.exists_one(n, n > 2)", "true")]
    [InlineData("data.numbers.exists_one(n, n > 1)", "false")]
    [InlineData("['a', 3].exists_one(n, n > 2)", "type_mismatch@1:26")]
    [InlineData("data.numbers.exists(n, data.tags[0])", "type_mismatch@1:33")]
    public void Quantifiers_absorb_errors_as_chains_do(string source, string expected) =>
        Assert.Equal(expected, Evaluation.Of(source));

    [Theory]
    [InlineData("data.numbers.filter(n, n > 1)", "[3,2]")]
    [InlineData("data.numbers.filter(n, n > 9)", "[]")]
    [InlineData("data.lines.filter(l, l.count > 0).map(l, l.sku)", "[\"a\"]")]
    [InlineData("data.numbers.map(n, n * 2)", "[6,2,4]")]
    [InlineData("data.numbers.map(n, n > 1, n * 2)", "[6,4]")]
    [InlineData("[].map(n, n)", "[]")]
    [InlineData("data.mixed.filter(n, n > 1)", "type_mismatch@1:24")]
    [InlineData("data.mixed.map(n, n + 1)", "type_mismatch@1:21")]
    [InlineData("data.numbers.filter(n, n)", "type_mismatch@1:24")]
    public void Filter_and_map_make_lists(string source, string expected) =>
        Assert.Equal(expected, Evaluation.Of(source));

    [Theory]
    [InlineData("{'b': 1, 'a': 2}.map(k, k)", "[\"b\",\"a\"]")]
    [InlineData("data.lines[0].map(k, k + '!')", "[\"sku!\",\"count!\"]")]
    [InlineData("data.customer.exists(k, k == 'name')", "true")]
    [InlineData("{'a': 1}.all(k, k.startsWith('a'))", "true")]
    [InlineData("data.lines[0].filter(k, data.lines[0][k] == 2)", "[\"count\"]")]
    [InlineData("data.text.exists(c, c == 'a')", "type_mismatch@1:11")]
    [InlineData("data.nothing.map(c, c)", "type_mismatch@1:14")]
    public void Comprehensions_over_a_map_go_over_its_keys(string source, string expected) =>
        Assert.Equal(expected, Evaluation.Of(source));

    [Theory]
    [InlineData("[1, 2].map(data, data + 1)", "[2,3]")]
    [InlineData("[1, 2].map(data, data + 1) + data.numbers", "[2,3,3,1,2]")]
    [InlineData("[[1], [2, 3]].map(n, n.map(n, n * 10))", "[[10],[20,30]]")]
    [InlineData("[1, 2].map(a, [10, 20].map(b, a + b))", "[[11,21],[12,22]]")]
    [InlineData("[1, 2].map(a, [10].map(b, a + b).size() + a)", "[2,3]")]
    [InlineData("[1].map(a, [2].map(b, b) + [3].map(c, a + c))", "[[2,4]]")]
    [InlineData("[1, 2].map(event, event)", "[1,2]")]
    [InlineData("[1].map(x, x) == [1] && x == 1", "unknown_name@1:25")]
    public void A_variable_hides_outer_names_inside_only(string source, string expected) =>
        Assert.Equal(expected, Evaluation.Of(source));
}
