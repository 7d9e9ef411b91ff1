using System.Net;
using Bellhop.Features.Audit;
using Bellhop.Infrastructure.Database;
using Bellhop.Tests.Support;
using Dapper;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.Audit;

/// <summary>A project with a few recorded changes, and an owner of the database who does to them what the service cannot.</summary>
internal sealed class AuditedProject(ServiceFixture service, TestProject project)
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public TestProject Project { get; } = project;

    public static async Task<AuditedProject> CreateAsync(ServiceFixture service, int secrets = 3)
    {
        var project = await service.NewProjectAsync();
        for (var number = 1; number <= secrets; number++)
        {
            (await project.Http.CallAsync("PUT", $"/v1/secrets/s{number}", """{"value":"v"}""")).Expect(
                HttpStatusCode.Created
            );
        }

        return new AuditedProject(service, project);
    }

    public async Task<CheckedChain> VerifyAsync(string? expect = null) =>
        Assert.Single((await Project.SendAsync(new VerifyAudit.Query(Project.Name, expect))).Unwrap().Projects);

    public async Task<Guid[]> EntriesAsync() =>
        [.. (await QueryAsync<Guid>("SELECT id FROM bellhop.audit_entries WHERE project_id = @ProjectId ORDER BY id"))];

    /// <summary>As the owner of the database.</summary>
    public async Task<T[]> QueryAsync<T>(string sql, object? arguments = null)
    {
        await using var owner = NpgsqlDataSource.Create(service.OwnerConnectionString);
        await using var connection = await owner.OpenConnectionAsync(Token);
        var all = new DynamicParameters(arguments);
        all.Add("ProjectId", Project.Id);
        return [.. await connection.QueryAsync<T>(sql.With(all, Token))];
    }

    /// <summary>As the owner of the database.</summary>
    public async Task<int> ExecuteAsync(string sql, object? arguments = null)
    {
        await using var owner = NpgsqlDataSource.Create(service.OwnerConnectionString);
        await using var connection = await owner.OpenConnectionAsync(Token);
        var all = new DynamicParameters(arguments);
        all.Add("ProjectId", Project.Id);
        return await connection.ExecuteAsync(sql.With(all, Token));
    }
}
