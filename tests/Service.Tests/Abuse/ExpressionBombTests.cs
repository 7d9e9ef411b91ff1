using System.Net;
using Bellhop.Tests.Features.Automations;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Abuse;

/// <summary>R-52: nothing that users write as a pattern, a condition or a filter makes the service calculate without end.</summary>
[Trait("Abuse", "R-52")]
public sealed class ExpressionBombTests(ServiceFixture service)
{
    private static readonly string Letters = new('a', 100_000);

    [Theory]
    [InlineData("event.data.text.matches('^(a+)+$')")]
    [InlineData("event.data.text.matches('^(a|a)*$')")]
    [InlineData("event.data.text.matches('^(a|aa)+$')")]
    [InlineData("event.data.text.matches('^(.*a){20}$')")]
    [InlineData("event.data.text.matches('(x+x+)+y')")]
    [InlineData(
        "[1,2,3,4,5,6,7,8,9].all(a, [1,2,3,4,5,6,7,8,9].all(b, [1,2,3,4,5,6,7,8,9].all(c, [1,2,3,4,5,6,7,8,9].all(d, [1,2,3,4,5,6,7,8,9].all(e, [1,2,3,4,5,6,7,8,9].all(f, a*b*c*d*e*f > 0))))))"
    )]
    [InlineData("[event.data.text].map(a, a+a+a+a+a+a+a+a).map(a, a+a+a+a+a+a+a+a).map(a, a+a+a+a+a+a+a+a).size() > 0")]
    public async Task R52_a_condition_has_a_budget_and_the_event_is_taken_all_the_same(string condition)
    {
        var project = await service.NewProjectAsync();
        await project.SaveAsync(
            $$"""{"name":"bomb","on":{"type":["a"]},"if":"{{condition}}","steps":[{"id":"one","uses":"set","with": { } } ] }"""
        );

        // the patience of the test's client is no measure: the budget of one condition is a quarter of a second
        await project
            .PublishAsync("a", $$"""{"text":"{{Letters}}!"}""")
            .WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);

        using var answer = await project.Http.GetAsync("/v1/info", TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Theory]
    [InlineData(
        "(((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((((true)))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))))"
    )]
    [InlineData("event.data.text.matches('(a{1000}){1000}')")]
    [InlineData("event.data.text.matches('(?=a)b')")]
    [InlineData("event.data.text.matches('(a)\\\\1')")]
    [InlineData("#")]
    public async Task R52_a_condition_that_could_not_be_held_to_a_budget_is_not_saved(string condition)
    {
        var project = await service.NewProjectAsync();
        var text = condition.Replace(
            "#",
            string.Join(" && ", Enumerable.Repeat("true", 2000)),
            StringComparison.Ordinal
        );

        var answer = await project.Http.PostAsync(
            "/v1/automations",
            $$"""{"name":"bomb","on":{"type":["a"]},"if":"{{text}}","steps":[{"id":"one","uses":"set","with": { } } ] }"""
        );

        Assert.Equal(HttpStatusCode.UnprocessableEntity, answer.Status);
        Assert.Equal("/if", answer.Body.GetProperty("errors")[0].GetProperty("pointer").GetString());
    }

    [Theory]
    [InlineData("*.*.*.*")]
    [InlineData("a.*.b")]
    [InlineData("a**")]
    public async Task R52_a_type_pattern_has_no_more_than_one_star_at_its_end(string pattern)
    {
        var project = await service.NewProjectAsync();

        var answer = await project.Http.PostAsync(
            "/v1/automations",
            $$"""{"name":"bomb","on":{"type":["{{pattern}}"]},"steps":[{"id":"one","uses":"set","with": { } } ] }"""
        );

        Assert.Equal(HttpStatusCode.UnprocessableEntity, answer.Status);
        Assert.Equal("/on/type/0", answer.Body.GetProperty("errors")[0].GetProperty("pointer").GetString());
    }
}
