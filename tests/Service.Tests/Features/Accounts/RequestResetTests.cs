using System.Net;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class RequestResetTests(ServiceFixture service)
{
    [Fact]
    public async Task The_answer_and_the_statements_are_the_same_whoever_has_the_address()
    {
        await using var own = await SendAccountMailTests.StartAsync(
            service,
            ["api"] // the job that sends goes on in the same trace
        );
        var account = await TestAccount.CreateAsync(own);
        using var count = new StatementCount();
        using var client = TestAccount.Client(own.Address);

        var known = await count.OfAsync(() => AskAsync(account.Email));
        var unknown = await count.OfAsync(() => AskAsync("nobody@x.example"));

        Assert.NotEmpty(known);
        Assert.Equal(known, unknown);

        async Task<HttpResponseMessage> AskAsync(string email)
        {
            using var body = new StringContent($$"""{"email":"{{email}}"}""", null, "application/json");
            var answer = await client.PostAsync("/v1/auth/reset", body, TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
            return answer;
        }
    }

    [Fact]
    public async Task Without_a_mail_connection_nothing_is_sent_and_the_answer_is_the_same()
    {
        using var client = TestAccount.Client(service.Address);

        (await client.PostAsync("/v1/auth/reset", """{"email":"a@x.example"}""")).Expect(HttpStatusCode.Accepted);
        (await client.PostAsync("/v1/auth/reset", """{"email":"nonsense"}""")).Expect(
            HttpStatusCode.UnprocessableEntity
        );
    }
}
