using System.Net;
using Bellhop.Features.Accounts;
using Bellhop.Features.ApiKeys;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Xunit;

namespace Bellhop.Tests.Features.ApiKeys;

public sealed class FirstKeyTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Another_project_that_gets_the_name_of_the_first_gets_no_such_key_and_the_next_start_is_none_the_worse()
    {
        var folder = Directory.CreateTempSubdirectory("bellhop-first-key-");
        try
        {
            await using var own = await OwnService.StartAsync(service);
            var settings = service.Settings with { StateDirectory = folder.FullName };
            var made = await FirstKey.EnsureAsync(own.Database, settings, Token);
            var owner = await TestUser.CreateAsync(own.Database, own.Address, own.ProjectId);
            var path = $"/v1/projects/{own.ProjectId}";
            var etag = (await owner.Http.CallAsync("GET", path)).ETag!;
            (await owner.Http.CallAsync("PATCH", path, """{"name":"main"}""", headers: ("If-Match", etag))).Expect(
                HttpStatusCode.OK
            );
            (await own.SendAsync(own.ProjectId, new CreateProject.Command("default"))).Unwrap();

            var next = await FirstKey.EnsureAsync(own.Database, settings, Token);

            Assert.NotNull(made.Text);
            Assert.Equal(made, next);
            await using var connection = await own.Database.OpenConnectionAsync(Token);
            var projects = await connection.QueryAsync<Guid>("SELECT project_id FROM api_keys".With(null, Token));
            Assert.Equal([own.ProjectId], projects);
            using var http = new HttpClient { BaseAddress = own.Address };
            http.DefaultRequestHeaders.Authorization = new("Bearer", made.Text);
            (await http.CallAsync("GET", "/v1/jobs")).Expect(HttpStatusCode.OK);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
