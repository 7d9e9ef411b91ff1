using System.Text.Json;
using Bellhop.Infrastructure.Expressions;
using Xunit;

namespace Bellhop.Tests.Infrastructure.Expressions;

/// <summary>
/// What an author could try against the process. Each row runs on a thread with a small stack: a recursion without
/// bound would end the test run, not fail a test.
/// </summary>
public sealed class LimitTests
{
    // a hundred times what the slowest row takes, a fraction of what it would take without its bound
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    private static readonly Scope Numbers = Scope.Of(("data", Shape.Free));

    public static TheoryData<string, string, string> Attacks()
    {
        var hundred = $"[{string.Join(',', Enumerable.Range(0, 100))}]";
        return new()
        {
            { "a long sum", "1" + Repeat("+1", 50_000), "source_too_long" },
            { "a deep sum", "1" + Repeat("+1", 1_600), "too_deep" },
            { "parentheses", Repeat("(", 1_600) + "1" + Repeat(")", 1_600), "too_deep" },
            { "open parentheses", Repeat("(", 4_096), "too_deep" },
            { "lists", Repeat("[", 2_000) + Repeat("]", 2_000), "too_deep" },
            { "maps", Repeat("{'a':", 500) + "1" + Repeat("}", 500), "too_deep" },
            { "signs", Repeat("- ", 2_000) + "1", "too_deep" },
            { "negations", Repeat("!", 4_000) + "true", "too_deep" },
            { "members", "data" + Repeat(".a", 1_000), "too_deep" },
            { "elements", "data" + Repeat("[0]", 1_000), "too_deep" },
            { "calls", Repeat("size(", 600) + "1" + Repeat(")", 600), "too_deep" },
            { "conditionals", Repeat("true?1:", 500) + "2", "too_deep" },
            { "comprehensions in comprehensions", Repeat("[1].map(x,", 300) + "1" + Repeat(")", 300), "too_deep" },
            { "nested maps", Nest("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]", 5), "budget_exceeded" },
            { "nested maps, absorbed", $"{Nest(hundred, 4)}.size() > 0 || true", "budget_exceeded" },
            {
                "nested exists",
                $"{hundred}.exists(a, {hundred}.exists(b, {hundred}.exists(c, a + b + c < 0)))",
                "budget_exceeded"
            },
            { "big literals in a map", $"data.many.map(x, {hundred})", "budget_exceeded" },
            { "a long list", "data.many + data.many", "too_large" },
            { "a long map", "(data.many.filter(x, true) + data.few).map(x, x)", "too_large" },
            { "what doubles, unread", Doubling + " == []", "none" },
            { "comparing what doubles", $"[{Doubling}] == [{Doubling}]", "budget_exceeded" },
            { "a long string", "data.text + data.text + data.text + data.text + data.text", "too_large" },
            { "many strings", "data.few.map(x, data.text + string(x)).size()", "budget_exceeded" },
            { "much reading", "data.few.map(x, data.text.contains('b'))", "budget_exceeded" },
            { "much comparing", "data.few.map(x, data.text < data.text)", "budget_exceeded" },
            { "looking up in a large map", "data.many.map(x, data.large['k' + string(x)])", "budget_exceeded" },
            { "long names", "data.few.exists(x, data[data.text + string(x)])", "budget_exceeded" },
            { "long keys", "data.many.all(x, !(data.text in data))", "budget_exceeded" },
            { "long numbers", "data.many.map(x, string(data.digits))", "budget_exceeded" },
            { "looking for elements", "data.many.all(x, x in data.many)", "budget_exceeded" },
            { "a catastrophic pattern", "data.text.matches('(a+)+b$')", "none" },
            {
                "catastrophic, many",
                "data.few.map(x, data.text.matches('^(([a-z])+.)+[A-Z]([a-z])+$'))",
                "budget_exceeded"
            },
            { "a slow pattern", "data.text.matches('((a{0,9}){0,9}){0,9}b')", "budget_exceeded" },
            {
                "slow patterns",
                "data.few.all(x, data.text.matches('((a{0,9}){0,9}){0,9}b')) || true",
                "budget_exceeded"
            },
            { "a huge pattern", "data.text.matches('((a{1000}){1000}){1000}')", "bad_pattern" },
            { "a long pattern", "'a'.matches(data.text)", "bad_pattern" },
            { "many patterns", "data.few.exists(x, 'a'.matches(string(x)))", "budget_exceeded" },
        };
    }

    [Theory]
    [MemberData(nameof(Attacks))]
    public void An_attack_ends_quickly_and_in_an_error(string attack, string source, string expected)
    {
        Assert.NotEmpty(attack);
        var code = "";
        var thread = new Thread(() => code = CodeOf(source), maxStackSize: 256 * 1024);

        thread.Start();

        Assert.True(thread.Join(Deadline), "It does not end.");
        Assert.Equal(expected, code);
    }

    [Fact]
    public void A_long_chain_of_conditions_is_one_level()
    {
        var source = string.Join(" || ", Enumerable.Range(0, 180).Select(i => $"data.total == {i}"));

        Assert.Equal("false", Evaluation.Of(source));
    }

    [Fact]
    public void As_many_levels_as_allowed_run_on_a_small_stack()
    {
        var source = Repeat("[1].map(x, ", 62) + "x" + Repeat(")", 62);
        var code = "";
        var thread = new Thread(() => code = CodeOf(source), maxStackSize: 256 * 1024);

        thread.Start();
        thread.Join();

        Assert.Equal("none", code);
    }

    [Fact]
    public void A_list_of_ten_thousand_is_gone_over_with_a_condition_of_two_parts() =>
        Assert.Equal("true", Evaluation.Of("data.many.all(x, x >= 0 && x < 10000)", Large()));

    [Fact]
    public void A_message_stays_short_whatever_the_name()
    {
        var error = Expression.Compile("data[data.text]", Evaluation.Scope).Value.Evaluate(Large()).Error;

        Assert.Equal("missing_member", error?.Code);
        Assert.InRange(error!.Message.Length, 100, 200);
    }

    [Fact]
    public void Many_threads_evaluate_one_expression()
    {
        var expression = Expression.Compile("[1, 2, 3].map(x, x + data).exists(y, y == data + 3)", Numbers).Value;

        var wrong = Enumerable.Range(0, 10_000).AsParallel().Count(i => !expression.Test(Value.From(i)).Value);

        Assert.Equal(0, wrong);
    }

    [Fact]
    public void A_value_whose_JSON_would_fill_the_disk_is_not_written()
    {
        var value = Expression.Compile($"[{Doubling}]", Evaluation.Scope).Value.Evaluate(Evaluation.Variables).Value;
        using var writer = new Utf8JsonWriter(Stream.Null);

        Assert.False(value.TryWriteTo(writer));
        Assert.Null(value.ToText());
    }

    private static string CodeOf(string source)
    {
        var compiled = Expression.Compile(source, Evaluation.Scope);
        return compiled.Error?.Code ?? compiled.Value.Evaluate(Large()).Error?.Code ?? "none";
    }

    private static Value[] Large()
    {
        var many = string.Join(',', Enumerable.Range(0, 10_000));
        var few = string.Join(',', Enumerable.Range(0, 1_000));
        var large = string.Join(',', Enumerable.Range(0, 10_000).Select(i => $"\"k{i}\":{i}"));
        return Evaluation.VariablesWith(
            $$"""{"text":"{{new string('a', 250_000)}}","digits":{{new string('7', 50_000)}},"many":[{{many}}],"few":[{{few}}],"large":{ {{large}} } }"""
        );
    }

    private static string Repeat(string part, int times) => string.Concat(Enumerable.Repeat(part, times));

    private static string Nest(string range, int levels) =>
        string.Concat(Enumerable.Range(0, levels).Select(level => $"{range}.map(x{level}, "))
        + "0"
        + Repeat(")", levels);

    /// <summary>2^50 elements by their JSON, fifty lists in memory.</summary>
    private static readonly string Doubling = "[1]" + Repeat(".map(x, [x, x])", 50);
}
