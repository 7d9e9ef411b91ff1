using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Tests.Features.Connections;
using Bellhop.Tests.Infrastructure.Outgoing;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Automations;

/// <summary>Where no step may send to, by a service whose operator allows no network: at save, and when it is sent.</summary>
public sealed class StepAddressTests(StrictService strict) : IClassFixture<StrictService>
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task No_URL_that_leads_inside_is_saved()
    {
        foreach (var (url, code) in Corpus.Rows().Select(row => row.Data))
        {
            using var answer = await SaveAsync("faulty", url);

            var body = await answer.Content.ReadFromJsonAsync<JsonElement>(Token);
            Assert.Equal((url, HttpStatusCode.UnprocessableEntity), (url, answer.StatusCode));
            var error = Assert.Single(body.GetProperty("errors").EnumerateArray());
            Assert.Equal(
                (url, "/steps/0/with/url", code),
                (url, error.GetProperty("pointer").GetString(), error.GetProperty("code").GetString())
            );
        }
    }

    [Fact]
    public async Task No_URL_that_an_expression_leads_inside_is_sent_to()
    {
        using var saved = await SaveAsync("dynamic", "${event.data.url}");
        Assert.Equal(HttpStatusCode.Created, saved.StatusCode);
        string[] names = ["inside", "mixed", "metadata", "mapped", "own-db"];
        var expected = Corpus
            .Rows()
            .Select(row => row.Data)
            .Concat(names.Select(name => ($"https://alias-{name}.example/", "address_not_allowed")))
            .ToArray();
        for (var index = 0; index < expected.Length; index++)
        {
            using var published = await strict.Http.PostAsJsonAsync(
                "/v1/events",
                new
                {
                    type = "go",
                    source = "corpus",
                    id = $"{index}",
                    subject = $"{index}",
                    data = new { url = expected[index].Item1 },
                },
                Token
            );
            Assert.Equal(HttpStatusCode.Accepted, published.StatusCode);
        }

        var runs = await Eventually.FitAsync(
            () =>
                strict.Http.GetFromJsonAsync<JsonElement>("/v1/runs?automation=dynamic&state=failed&limit=200", Token),
            list => list.GetProperty("items").GetArrayLength() == expected.Length
        );

        var codes = new List<string>();
        foreach (var run in runs.GetProperty("items").EnumerateArray())
        {
            var shown = await strict.Http.GetFromJsonAsync<JsonElement>(
                $"/v1/runs/{run.GetProperty("id").GetGuid()}",
                Token
            );
            codes.Add(shown.GetProperty("error").GetProperty("code").GetString()!);
        }

        Assert.Equal(expected.Select(row => row.Item2).Order(), codes.Order());
    }

    private Task<HttpResponseMessage> SaveAsync(string name, string url) =>
        strict.Http.PostAsJsonAsync(
            "/v1/automations",
            new
            {
                name,
                on = new { type = new[] { "go" } },
                steps = new[]
                {
                    new
                    {
                        id = "call",
                        uses = "http",
                        with = new { method = "GET", url },
                    },
                },
            },
            Token
        );
}
