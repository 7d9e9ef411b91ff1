using System.Net;
using Bellhop.Features.Accounts;
using Bellhop.Infrastructure.Auth;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class CreateProjectTests(ServiceFixture service)
{
    [Fact]
    public async Task A_name_is_given_once()
    {
        var name = NewName();

        var made = (await service.SendAsync(Guid.Empty, new CreateProject.Command(name))).Unwrap();
        var again = await service.SendAsync(Guid.Empty, new CreateProject.Command(name));

        Assert.Equal(name, made.Name);
        Assert.Equal("name_taken", again.Problem?.Kind.Code);
        Assert.Equal(made.Id, await Find(name));
        Assert.Equal(made.Id, await Find(made.Id.ToString()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("Upper")]
    [InlineData("-a")]
    [InlineData("a b")]
    [InlineData("a\n")]
    public async Task A_name_that_is_no_slug_is_refused(string name)
    {
        var problem = (await service.SendAsync(Guid.Empty, new CreateProject.Command(name))).Problem;

        Assert.Equal(("invalid", "/name"), (problem?.Kind.Code, problem?.Errors[0].Pointer));
    }

    [Fact]
    public async Task Who_owns_a_project_makes_another_is_its_owner_and_stands_in_its_record()
    {
        var owner = await TestUser.CreateAsync(service, (await service.NewProjectAsync()).Id);
        var name = NewName();

        var made = await owner.Http.PostAsync("/v1/projects", $$"""{"name":"{{name}}"}""", key: "once");
        var again = await owner.Http.PostAsync("/v1/projects", $$"""{"name":"{{name}}"}""", key: "once");

        Assert.Equal($"/v1/projects/{made.Expect(HttpStatusCode.Created).Id}", made.Location);
        Assert.Equal((made.Id, true), (again.Expect(HttpStatusCode.Created).Id, again.IsReplayed));
        var audit = await owner.Http.CallAsync("GET", "/v1/audit", headers: (ProjectHeader.Name, name));
        var entry = audit.Expect(HttpStatusCode.OK).Body.GetProperty("items")[0];
        Assert.Equal(
            ("projects.create", $"user:{owner.Email}", "session"),
            (
                entry.GetProperty("action").GetString(),
                entry.GetProperty("actor").GetString(),
                entry.GetProperty("method").GetString()
            )
        );
        (
            await owner.Http.CallAsync(
                "POST",
                "/v1/api-keys",
                """{"name":"k","role":"owner"}""",
                headers: (ProjectHeader.Name, $"{made.Id}")
            )
        ).Expect(HttpStatusCode.Created);
    }

    [Fact]
    public async Task Who_owns_none_makes_none_nor_does_a_key()
    {
        var project = await service.NewProjectAsync();
        var admin = await TestUser.CreateAsync(service, project.Id, "admin");
        var elsewhere = await TestUser.CreateAsync(
            service,
            project.Id,
            access: new Access { AllowNetworks = ["203.0.113.0/24"] }
        );
        var body = $$"""{"name":"{{NewName()}}"}""";

        foreach (var http in new[] { admin.Http, elsewhere.Http, project.Http })
        {
            Assert.Equal(
                "forbidden",
                (await http.PostAsync("/v1/projects", body)).Expect(HttpStatusCode.Forbidden).Code
            );
        }
    }

    private static string NewName() => $"p{Guid.NewGuid():N}"[..20];

    private Task<Guid?> Find(string nameOrId) =>
        Projects.FindAsync(service.Database, nameOrId, TestContext.Current.CancellationToken);
}
