using System.Diagnostics;
using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Http;
using Bellhop.Tests.Support;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Architecture;

/// <summary>The service from outside, as files that a reviewer reads as a diff.</summary>
public sealed partial class GoldenTests(ServiceFixture service)
{
    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    [Fact]
    public void Every_route_names_one_permission_or_is_anonymous()
    {
        var lines = new List<string>();
        foreach (
            var endpoint in service.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
        )
        {
            var permission =
                endpoint.Metadata.GetMetadata<RequiredPermission>()?.Name
                ?? endpoint.Metadata.GetMetadata<RequiredCaller>()?.ToString();
            var anonymous = endpoint.Metadata.GetMetadata<IAllowAnonymous>() is not null;
            Assert.True(
                (permission is not null) ^ anonymous,
                $"{endpoint.RoutePattern.RawText} names no permission, or two ways in"
            );
            var methods = endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? ["*"];
            lines.AddRange(
                methods.Select(method => $"{method} {endpoint.RoutePattern.RawText} {permission ?? "anonymous"}")
            );
        }

        Assert.NotEmpty(lines);
        Golden.AssertMatches("routes.txt", string.Join('\n', lines.Order(StringComparer.Ordinal)));
    }

    [Fact]
    public void The_catalogue_of_problems_is_known()
    {
        var codes = typeof(Program)
            .Assembly.GetTypes()
            .SelectMany(type => type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic))
            .Where(field => field.FieldType == typeof(ProblemCode))
            .Select(field => (ProblemCode)field.GetValue(null)!)
            .ToArray();

        Assert.NotEmpty(codes);
        Assert.Equal(codes.Length, codes.Select(code => code.Code).Distinct().Count());
        Golden.AssertMatches(
            "problems.txt",
            string.Join(
                '\n',
                codes.Select(code => $"{code.Status} {code.Code}: {code.Title}").Order(StringComparer.Ordinal)
            )
        );
    }

    [Fact]
    public async Task The_OpenAPI_document_is_known()
    {
        using var client = service.NewClient();
        using var document = JsonDocument.Parse(
            await client.GetStringAsync("/openapi.json", TestContext.Current.CancellationToken)
        );

        Golden.AssertMatches("openapi.json", JsonSerializer.Serialize(document, Indented));
    }

    [Fact]
    public async Task The_Postman_collection_is_made_from_the_document()
    {
        using var client = service.NewClient();
        var document = Path.GetTempFileName();
        await File.WriteAllTextAsync(
            document,
            await client.GetStringAsync("/openapi.json", TestContext.Current.CancellationToken),
            TestContext.Current.CancellationToken
        );
        var script = Path.Combine(Checkout.Root, "tests", "e2e", "postman.mjs");

        var (exitCode, collection, error) = await NpmProgram.RunAsync("node", script, document);

        File.Delete(document);
        Assert.True(exitCode == 0, error);
        Golden.AssertIs(Path.Combine("deploy", "postman", "bellhop.postman_collection.json"), collection);
    }

    [Fact]
    public async Task The_metrics_are_known()
    {
        using var client = new HttpClient { BaseAddress = service.InternalAddress };
        var text = await client.GetStringAsync("/metrics", TestContext.Current.CancellationToken);
        var help = text.Split('\n')
            .Where(line =>
                line.StartsWith("# ", StringComparison.Ordinal) && line.Contains(" bellhop_", StringComparison.Ordinal)
            );

        Golden.AssertMatches("metrics.txt", string.Join('\n', help.Order(StringComparer.Ordinal)));
    }

    [Fact]
    public void The_schema_is_known()
    {
        var program = PgDump();
        Assert.SkipWhen(
            program is null,
            "this PostgreSQL came without pg_dump, or is not the version the file was made with"
        );
        var settings = new NpgsqlConnectionStringBuilder(service.OwnerConnectionString);
        var start = new ProcessStartInfo(program!) { RedirectStandardOutput = true };
        foreach (
            var argument in new[]
            {
                "-h",
                settings.Host!,
                "-U",
                settings.Username!,
                "-s",
                "-O",
                "-n",
                "bellhop",
                "-T",
                "bellhop.*_20*",
                settings.Database!,
            }
        )
        {
            start.ArgumentList.Add(argument);
        }

        using var dump = Process.Start(start)!;
        var schema = dump.StandardOutput.ReadToEnd();
        dump.WaitForExit();

        Assert.Equal(0, dump.ExitCode);
        Golden.AssertMatches("schema.sql", Noise().Replace(schema, ""));
    }

    internal static string? PgDump() =>
        new[]
        {
            Path.Combine(Checkout.State, "pgsql/usr/lib/postgresql/15/bin/pg_dump"),
            "/usr/lib/postgresql/15/bin/pg_dump",
        }.FirstOrDefault(File.Exists);

    // versions of server and tool, session settings, and the token that newer minor releases print
    [GeneratedRegex(@"^(--.*|SET .*|SELECT pg_catalog\.set_config.*|\\(un)?restrict .*)?\n", RegexOptions.Multiline)]
    private static partial Regex Noise();
}
