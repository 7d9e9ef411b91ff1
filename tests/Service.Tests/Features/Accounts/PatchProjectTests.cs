using System.Net;
using Bellhop.Features.Accounts;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Infrastructure.Http.Resources;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class PatchProjectTests(ServiceFixture service)
{
    [Fact]
    public async Task The_name_that_the_command_line_takes_for_granted_is_given_by_it_alone()
    {
        await using var own = await OwnService.StartAsync(service);
        var owner = await TestUser.CreateAsync(own.Database, own.Address, own.ProjectId);
        var made = await owner.Http.PostAsync("/v1/projects", """{"name":"another"}""");
        (await RenameAsync(own.ProjectId, "main")).Expect(HttpStatusCode.OK);

        var created = await owner.Http.PostAsync("/v1/projects", """{"name":"default"}""");
        var renamed = await RenameAsync(made.Id, "default");

        Assert.Equal((409, "name_taken"), ((int)created.Status, created.Code));
        Assert.Equal((409, "name_taken"), ((int)renamed.Status, renamed.Code));
        var document = MergePatch<ProjectDocument>.Of(new { name = "default" });
        var command = new PatchProject.Command(NameOrId.Parse("main"), document, Precondition.Any);
        Assert.Equal("default", (await own.SendAsync(own.ProjectId, command)).Unwrap().Name);

        Task<Answer> RenameAsync(Guid id, string name) =>
            owner.Http.CallAsync(
                "PATCH",
                $"/v1/projects/{id}",
                $$"""{"name":"{{name}}"}""",
                headers: ("If-Match", "*")
            );
    }

    [Fact]
    public async Task An_owner_gives_it_another_name_that_holds_at_once()
    {
        var project = await service.NewProjectAsync();
        var owner = await TestUser.CreateAsync(service, project.Id);
        var (path, name) = ($"/v1/projects/{project.Id}", NewName());
        var etag = (await owner.Http.CallAsync("GET", path)).ETag!;

        (await owner.Http.ChangeAsync("PATCH", path, $$"""{"name":"{{name}}"}""")).Expect(
            HttpStatusCode.PreconditionRequired
        );
        var renamed = await owner.Http.ChangeAsync("PATCH", path, $$"""{"name":"{{name}}"}""", etag);
        var late = await owner.Http.ChangeAsync("PATCH", path, $$"""{"name":"{{NewName()}}"}""", etag);

        Assert.Equal(2, renamed.Expect(HttpStatusCode.OK).Body.GetProperty("revision").GetInt32());
        late.Expect(HttpStatusCode.PreconditionFailed);
        foreach (var (header, status) in new[] { (name, HttpStatusCode.OK), (project.Name, HttpStatusCode.NotFound) })
        {
            var jobs = await owner.Http.CallAsync("GET", "/v1/jobs", headers: (ProjectHeader.Name, header));
            jobs.Expect(status);
        }

        var audit = await project.Http.CallAsync("GET", "/v1/audit?action=projects.update");
        var id = audit.Expect(HttpStatusCode.OK).Body.GetProperty("items")[0].GetProperty("id").GetGuid();
        var entry = (await project.Http.CallAsync("GET", $"/v1/audit/{id}")).Body;
        Assert.Equal(
            (project.Name, name),
            (
                entry.GetProperty("before").GetProperty("name").GetString(),
                entry.GetProperty("after").GetProperty("name").GetString()
            )
        );
    }

    [Theory]
    [InlineData("""{"name":"Not A Slug"}""", 422, "invalid")]
    [InlineData("""{"name":null}""", 422, "invalid")]
    [InlineData("""{"nane":"x"}""", 400, "malformed_body")]
    [InlineData("""{"name":7}""", 400, "malformed_body")]
    public async Task A_name_that_is_none_is_refused(string patch, int status, string code)
    {
        var project = await service.NewProjectAsync();
        var owner = await TestUser.CreateAsync(service, project.Id);

        var answer = await owner.Http.ChangeAsync("PATCH", $"/v1/projects/{project.Id}", patch, "*");

        Assert.Equal((status, code), ((int)answer.Status, answer.Code));
    }

    [Fact]
    public async Task A_name_that_is_taken_is_a_conflict_also_of_two_at_once()
    {
        var (one, other) = (await service.NewProjectAsync(), await service.NewProjectAsync());
        var owner = await TestUser.CreateAsync(service, one.Id);

        var taken = await owner.Http.ChangeAsync(
            "PATCH",
            $"/v1/projects/{one.Id}",
            $$"""{"name":"{{other.Name}}"}""",
            "*"
        );
        var name = NewName();
        var codes = await Task.WhenAll(RenameAsync(one, name), RenameAsync(other, name), CreateAsync(name));

        Assert.Equal("name_taken", taken.Expect(HttpStatusCode.Conflict).Code);
        Assert.Equal([null, "name_taken", "name_taken"], codes.Order());
    }

    [Fact]
    public async Task Only_owners_do()
    {
        var project = await service.NewProjectAsync();
        var admin = await TestUser.CreateAsync(service, project.Id, "admin");
        var patch = $$"""{"name":"{{NewName()}}"}""";

        var answer = await admin.Http.ChangeAsync("PATCH", $"/v1/projects/{project.Id}", patch, "*");

        Assert.Contains("projects:write", answer.Expect(HttpStatusCode.Forbidden).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_command_line_renames_it_and_none_is_made_in_its_stead()
    {
        await using var own = await OwnService.StartAsync(service);
        var patch = MergePatch<ProjectDocument>.Of(new { name = "shop" });
        (
            await own.SendAsync(
                Guid.Empty,
                new PatchProject.Command(NameOrId.Parse(Projects.Default), patch, Precondition.Any)
            )
        ).Unwrap();
        var environment = CliProcess.On(service);
        environment["ConnectionStrings__Bellhop"] = own.OwnerConnectionString;

        // each opens the database as a start of the service does
        var list = await CliProcess.RunAsync(environment, "projects", "list");
        var keys = await CliProcess.RunAsync(environment, "api-keys", "list");
        var back = await CliProcess.RunAsync(environment, "projects", "rename", "--name", "shop", "--to", "store");

        Assert.Equal((0, $"{own.ProjectId}\tshop\tactive"), (list.ExitCode, list.Output));
        Assert.Equal(0, keys.ExitCode);
        Assert.Equal((0, $"{own.ProjectId} store"), (back.ExitCode, back.Output));
    }

    private async Task<string?> RenameAsync(TestProject project, string name)
    {
        var patch = MergePatch<ProjectDocument>.Of(new { name });
        var command = new PatchProject.Command(NameOrId.Parse($"{project.Id}"), patch, Precondition.Any);
        return (await service.SendAsync(Guid.Empty, command)).Problem?.Kind.Code;
    }

    private async Task<string?> CreateAsync(string name) =>
        (await service.SendAsync(Guid.Empty, new CreateProject.Command(name))).Problem?.Kind.Code;

    private static string NewName() => $"p{Guid.NewGuid():N}"[..20];
}
