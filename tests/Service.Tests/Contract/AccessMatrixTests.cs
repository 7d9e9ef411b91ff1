using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Bellhop.Features.ApiKeys;
using Bellhop.Infrastructure.Auth;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Xunit;

namespace Bellhop.Tests.Contract;

/// <summary>Who may call what: every operation by everyone, as a table that is reviewed as a diff.</summary>
/// <remarks>A new route changes the table, and fails until it is in it; so does a new kind of thing that no project is furnished with.</remarks>
public sealed class AccessMatrixTests(ServiceFixture service)
{
    /// <summary>Each caller of the table, in a project of its own.</summary>
    private static readonly Column[] Columns =
    [
        new("anonymous", (fixture, _) => Task.FromResult(fixture.NewClient())),
        .. Roles.Ranked.Select(role => new Column(
            role,
            async (fixture, at) => (await UserAsync(fixture, at, role)).Http
        )),
        new("worker key", async (_, at) => await KeyAsync(at, "worker")),
        new("owner key", async (_, at) => await KeyAsync(at, Roles.Owner)),
        new("one-scope key", async (_, at) => await KeyAsync(at, Roles.Owner, Permissions.EventsPublish)),
        new("expired key", ExpiredAsync),
        new("disabled owner", DisabledAsync),
        new(
            "another's owner",
            async (fixture, _) => (await UserAsync(fixture, await fixture.NewProjectAsync(), Roles.Owner)).Http
        ),
    ];

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Who_may_call_what_is_known()
    {
        var document = await ApiDocument.ReadAsync(service);
        var operations = document.Operations.OrderBy(Turn).ThenBy(one => one.Path, StringComparer.Ordinal).ToArray();
        var lists = Lists(operations);
        var cells = new ConcurrentDictionary<(string Operation, string Column), string>();
        await Parallel.ForEachAsync(
            Columns,
            new ParallelOptions { MaxDegreeOfParallelism = 3, CancellationToken = Token },
            async (column, _) =>
            {
                var furnished = await Furnished.CreateAsync(service, lists);
                foreach (var operation in operations)
                {
                    // anew for each: some end what signed the caller in
                    using var caller = await column.CallerAsync(service, furnished.Project);
                    cells[($"{operation}", column.Name)] = await CallAsync(caller, operation, furnished);
                }
            }
        );
        var lines = operations
            .Select(operation =>
                $"{operation},{string.Join(',', Columns.Select(column => cells[($"{operation}", column.Name)]))}"
            )
            .Order(StringComparer.Ordinal);

        Assert.True(operations.Length > 40, $"{operations.Length} operations");
        Golden.AssertMatches(
            "access.csv",
            string.Join('\n', lines.Prepend($"operation,{string.Join(',', Columns.Select(column => column.Name))}"))
        );
    }

    internal static string[] Lists(IEnumerable<Operation> operations) =>
        [
            .. operations
                .Where(operation =>
                    operation.Path.Contains('{') && !operation.Path.StartsWith("/in/", StringComparison.Ordinal)
                )
                .Select(operation =>
                    operation.Path[..operation.Path.IndexOf('{', StringComparison.Ordinal)].TrimEnd('/')
                )
                .Distinct(),
        ];

    // what takes something away comes last
    private static int Turn(Operation operation) =>
        operation.Path.EndsWith("/archive", StringComparison.Ordinal) ? 2
        : operation.Method == "DELETE" ? 1
        : 0;

    private static async Task<string> CallAsync(HttpClient caller, Operation operation, Furnished furnished)
    {
        var path = operation.Path.StartsWith("/in/", StringComparison.Ordinal)
            ? "/in/none"
            : furnished.Fill(operation.Path);
        using var request = new HttpRequestMessage(new HttpMethod(operation.Method), path);
        request.Content = operation.Bodies.Any() ? new StringContent("{}", Encoding.UTF8, "application/json") : null;
        using var answer = await caller.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Token);
        // past this door a request may still be refused for what is in it
        return answer.StatusCode switch
        {
            _ when operation.Node["security"]?.AsArray().Count == 0 => "open",
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.NotFound =>
                $"{(int)answer.StatusCode}",
            >= HttpStatusCode.InternalServerError => throw new InvalidOperationException(
                $"{operation}: {answer.StatusCode}"
            ),
            _ => "yes",
        };
    }

    private static Task<TestUser> UserAsync(ServiceFixture fixture, TestProject at, string role) =>
        TestUser.CreateAsync(fixture, at.Id, role);

    private static async Task<HttpClient> KeyAsync(TestProject at, string role, params string[] scopes)
    {
        await at.UseKeyAsync(role, scopes);
        return at.Http;
    }

    private static async Task<HttpClient> ExpiredAsync(ServiceFixture fixture, TestProject at)
    {
        await at.UseKeyAsync(Roles.Owner);
        await ExecuteAsync(
            fixture,
            "UPDATE api_keys SET expires_at = now() - interval '1 minute' WHERE id = @Id",
            ApiKey.Parse(at.Key)!.RowId
        );
        return at.Http;
    }

    private static async Task<HttpClient> DisabledAsync(ServiceFixture fixture, TestProject at)
    {
        var user = await UserAsync(fixture, at, Roles.Owner);
        await ExecuteAsync(fixture, "UPDATE users SET disabled_at = now() WHERE id = @Id", user.Id);
        return user.Http;
    }

    private static async Task ExecuteAsync(ServiceFixture fixture, string sql, Guid id)
    {
        await using var connection = await fixture.Database.OpenConnectionAsync(Token);
        Assert.Equal(1, await connection.ExecuteAsync(sql.With(new { Id = id }, Token)));
    }

    private sealed record Column(string Name, Func<ServiceFixture, TestProject, Task<HttpClient>> CallerAsync);
}
