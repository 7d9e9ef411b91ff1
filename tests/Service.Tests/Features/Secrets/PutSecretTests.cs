using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Bellhop.Features.Secrets;
using Bellhop.Features.Sources;
using Bellhop.Tests.Architecture;
using Bellhop.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.Secrets;

public sealed class PutSecretTests(ServiceFixture service)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_new_secret_is_201_and_a_replaced_one_200_and_neither_answer_holds_the_value()
    {
        var project = await service.NewProjectAsync();

        using var made = await PutAsync(project, "crm-key", "first value");
        using var replaced = await PutAsync(project, "crm-key", "second value");

        Assert.Equal((HttpStatusCode.Created, HttpStatusCode.OK), (made.StatusCode, replaced.StatusCode));
        Assert.Equal("/v1/secrets/crm-key", made.Headers.Location?.ToString());
        var (first, second) = (
            await made.Content.ReadAsStringAsync(Token),
            await replaced.Content.ReadAsStringAsync(Token)
        );
        Assert.DoesNotContain("value", first + second, StringComparison.Ordinal);
        using var document = JsonDocument.Parse(second);
        Assert.Equal(
            ["name", "created_at", "updated_at", "last_used_at", "used_by"],
            document.RootElement.EnumerateObject().Select(member => member.Name)
        );
    }

    [Fact]
    public async Task What_was_put_opens_by_its_name_at_once_and_only_in_its_project()
    {
        var project = await service.NewProjectAsync();
        var other = await service.NewProjectAsync();
        var secrets = service.Services.GetRequiredService<NamedSecrets>();

        await project.SendAsync(new PutSecret.Command("key", "one"));
        var one = await secrets.FindAsync(project.Id, "key", Token);
        await project.SendAsync(new PutSecret.Command("key", "zwei 🗝"));

        Assert.Equal("one", one);
        Assert.Equal("zwei 🗝", await secrets.FindAsync(project.Id, "key", Token));
        Assert.Null(await secrets.FindAsync(other.Id, "key", Token));
        Assert.Null(await secrets.FindAsync(project.Id, "no-key", Token));
    }

    [Theory]
    [InlineData("key", 0, 422, "pointer", "/value")]
    [InlineData("key", 65_536, 201, "", "")]
    [InlineData("key", 65_537, 422, "pointer", "/value")]
    [InlineData("No-Slug", 10, 422, "parameter", "name")]
    public async Task A_secret_is_1_to_65536_bytes_under_a_sound_name(
        string name,
        int bytes,
        int status,
        string place,
        string where
    )
    {
        var project = await service.NewProjectAsync();

        using var answer = await PutAsync(project, name, new string('x', bytes));

        Assert.Equal(status, (int)answer.StatusCode);
        if (status == 422)
        {
            var text = await answer.Content.ReadAsStringAsync(Token);
            using var problem = JsonDocument.Parse(text);
            Assert.Equal(where, problem.RootElement.GetProperty("errors")[0].GetProperty(place).GetString());
            Assert.DoesNotContain("xxx", text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task An_operator_may_list_secrets_but_not_put_one()
    {
        var project = await service.NewProjectAsync("operator");

        using var put = await PutAsync(project, "key", "value");
        using var list = await project.Http.GetAsync("/v1/secrets", Token);

        Assert.Equal((HttpStatusCode.Forbidden, HttpStatusCode.OK), (put.StatusCode, list.StatusCode));
    }

    [Fact]
    public async Task A_dump_of_the_database_holds_no_secret_in_the_clear()
    {
        var program = GoldenTests.PgDump();
        Assert.SkipWhen(program is null, "this PostgreSQL came without pg_dump");
        const string canary = "canary-5f1c9e0b7d";
        await using var own = await OwnService.StartAsync(service);
        await own.SendAsync(new PutSecret.Command("canary-name", canary));
        await own.SendAsync(new CreateSource.Command(new SourceDocument("canary-source", "github", canary)));

        var dump = await PgDumpAsync(program!, own.OwnerConnectionString);

        Assert.Contains("canary-name", dump, StringComparison.Ordinal);
        Assert.Contains("canary-source", dump, StringComparison.Ordinal);
        Assert.DoesNotContain(canary, dump, StringComparison.Ordinal);
    }

    internal static Task<HttpResponseMessage> PutAsync(TestProject project, string name, string value) =>
        project.Http.PutAsJsonAsync($"/v1/secrets/{name}", new { value }, Token);

    private static async Task<string> PgDumpAsync(string program, string connectionString)
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString);
        var start = new ProcessStartInfo(program)
        {
            RedirectStandardOutput = true,
            ArgumentList =
            {
                "-h",
                settings.Host!,
                "-U",
                settings.Username!,
                "-a",
                "-n",
                "bellhop",
                settings.Database!,
            },
        };
        using var dump = Process.Start(start)!;
        var text = await dump.StandardOutput.ReadToEndAsync(Token);
        await dump.WaitForExitAsync(Token);
        Assert.Equal(0, dump.ExitCode);
        return text;
    }
}
