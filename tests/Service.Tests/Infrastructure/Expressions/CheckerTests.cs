using Bellhop.Infrastructure.Expressions;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Expressions;

public sealed class CheckerTests
{
    [Theory]
    [InlineData("evnt.type == 'x'", "unknown_name@1:1", "There is nothing named 'evnt'; did you mean 'event'?")]
    [InlineData("x", "unknown_name@1:1", "There is nothing named 'x'; known: data, event, now, steps.")]
    [InlineData("true || unknown", "unknown_name@1:9", null)]
    [InlineData("event.typ", "unknown_member@1:7", "There is no member 'typ' here; did you mean 'type'?")]
    [InlineData("event['typ']", "unknown_member@1:7", null)]
    [InlineData("has(event.typ)", "unknown_member@1:11", null)]
    [InlineData("steps.dup.output", "unknown_member@1:7", "There is no member 'dup' here; known: kind.")]
    [InlineData("steps.kind.state", "unknown_member@1:12", null)]
    [InlineData("data.any.thing[0].at.all", null, null)]
    [InlineData("siz(data)", "unknown_function@1:1", "There is no function 'siz'; did you mean 'size'?")]
    [InlineData("data.text.toUpper()", "unknown_function@1:11", null)]
    [InlineData("startsWith('a', 'b')", "unknown_function@1:1", "startsWith is called as x.startsWith(…).")]
    [InlineData("'1'.int()", "unknown_function@1:5", "int is called as int(x).")]
    [InlineData("size()", "argument_count@1:1", "size takes 1 argument here.")]
    [InlineData("size('a', 'b')", "argument_count@1:1", null)]
    [InlineData("'a'.size('b')", "argument_count@1:5", "size takes 0 arguments here.")]
    [InlineData("'a'.contains()", "argument_count@1:5", "contains takes 1 argument here.")]
    [InlineData("data.tags.exists(t)", "argument_count@1:11", null)]
    [InlineData("has(data.a, data.b)", "argument_count@1:1", null)]
    public void Names_and_arity_are_checked_before_anything_runs(string source, string? expected, string? message)
    {
        var error = Expression.Compile(source, Evaluation.Scope).Error;

        Assert.Equal(expected, error is null ? null : Evaluation.Written(error));
        Assert.True(message is null || message == error?.Message, error?.Message);
    }

    [Theory]
    [InlineData("1 + 'a'", "type_mismatch@1:3")]
    [InlineData("'a' * 2", "type_mismatch@1:5")]
    [InlineData("1.5 % 2", "type_mismatch@1:5")]
    [InlineData("'a' && 'b'", "type_mismatch@1:1")]
    [InlineData("data.flag || 1", "type_mismatch@1:14")]
    [InlineData("!1", "type_mismatch@1:1")]
    [InlineData("-'a'", "type_mismatch@1:1")]
    [InlineData("1 ? 2 : 3", "type_mismatch@1:1")]
    [InlineData("1 < 'a'", "type_mismatch@1:3")]
    [InlineData("[1] < [2]", "type_mismatch@1:5")]
    [InlineData("1 == 'a'", "type_mismatch@1:3")]
    [InlineData("event.type == 5", "type_mismatch@1:12")]
    [InlineData("size(data.tags) == '2'", "type_mismatch@1:17")]
    [InlineData("1 in 2", "type_mismatch@1:3")]
    [InlineData("1 in {'a': 1}", "type_mismatch@1:3")]
    [InlineData("size(1)", "type_mismatch@1:6")]
    [InlineData("'a'.contains(1)", "type_mismatch@1:14")]
    [InlineData("event.type.exists(c, true)", "type_mismatch@1:12")]
    [InlineData("data.tags.filter(t, 1)", "type_mismatch@1:21")]
    [InlineData("{'a': 1}.map(k, k + 1)", "type_mismatch@1:19")]
    [InlineData("{1: 2}", "type_mismatch@1:2")]
    [InlineData("{'a': 1, 'a': 2}", "duplicate_key@1:10")]
    [InlineData("'a'.b", "type_mismatch@1:5")]
    [InlineData("[1].b", "type_mismatch@1:5")]
    [InlineData("[1]['b']", "type_mismatch@1:5")]
    [InlineData("{'a': 1}[0]", "type_mismatch@1:9")]
    [InlineData("event.type[0]", "type_mismatch@1:11")]
    [InlineData("(true ? 1 : 2.5) + 'a'", "type_mismatch@1:18")]
    public void Operands_that_never_go_together_are_refused(string source, string expected)
    {
        var error = Expression.Compile(source, Evaluation.Scope).Error;

        Assert.NotNull(error);
        Assert.Equal(expected, Evaluation.Written(error));
    }

    [Theory]
    [InlineData("(data.flag ? 1 : 'a') == 1")]
    [InlineData("(data.flag ? 1 : 'a') + 1")]
    [InlineData("event.type == null || null == 1")]
    [InlineData("(data.flag ? event : data).anything == 1")]
    public void What_may_go_together_is_left_to_run(string source) =>
        Assert.Null(Expression.Compile(source, Evaluation.Scope).Error);

    [Fact]
    public void A_shape_may_be_open_and_a_scope_extended()
    {
        var scope = Scope.Of(("event", Shape.Open(("type", Shape.Text)))).With("secrets", Shape.Closed());

        Assert.Null(Expression.Compile("event.traceparent == 'x'", scope).Error);
        Assert.Equal("type_mismatch", Expression.Compile("event.type == 1", scope).Error?.Code);
        var error = Expression.Compile("secrets.token", scope).Error;
        Assert.Equal("There is no member 'token' here; none is known here.", error?.Message);
        Assert.Equal(2, scope.Count);
    }
}
