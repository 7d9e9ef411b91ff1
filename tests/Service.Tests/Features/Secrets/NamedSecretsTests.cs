using Bellhop.Features.Secrets;
using Bellhop.Infrastructure.Database;
using Bellhop.Infrastructure.Secrets;
using Bellhop.Tests.Support;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;
using Xunit;

namespace Bellhop.Tests.Features.Secrets;

/// <summary>Rows that somebody changed behind the service's back.</summary>
public sealed class NamedSecretsTests(ServiceFixture service)
{
    private const string Swap = """
        UPDATE secrets AS one SET value = two.value
        FROM secrets AS two
        WHERE one.project_id = @ProjectId AND two.project_id = @ProjectId AND one.name <> two.name
        """;

    private const string FlipBit = """
        UPDATE secrets SET value = substr(value, 1, 40) || CASE WHEN substr(value, 41, 1) = 'A' THEN 'B' ELSE 'A' END || substr(value, 42)
        WHERE project_id = @ProjectId
        """;

    private const string UnknownKey = """
        UPDATE secrets SET value = 'v1.00000000.' || split_part(value, '.', 3) || '.' || split_part(value, '.', 4)
        WHERE project_id = @ProjectId
        """;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(Swap, OpenFailure.Tampered)]
    [InlineData(FlipBit, OpenFailure.Tampered)]
    [InlineData(UnknownKey, OpenFailure.UnknownKey)]
    [InlineData("UPDATE secrets SET value = 'first' WHERE project_id = @ProjectId", OpenFailure.Malformed)]
    public async Task A_changed_row_does_not_open_and_the_error_names_the_row_and_no_secret(
        string change,
        OpenFailure failure
    )
    {
        var project = await service.NewProjectAsync();
        await project.SendAsync(new PutSecret.Command("one", "first"));
        await project.SendAsync(new PutSecret.Command("two", "second"));
        await using var connection = await project.Database.OpenConnectionAsync(Token);
        await connection.ExecuteAsync(change.With(new { ProjectId = project.Id }, Token));

        var refused = await Assert.ThrowsAsync<SealedValueException>(async () =>
            await service.Services.GetRequiredService<NamedSecrets>().FindAsync(project.Id, "one", Token)
        );

        Assert.Equal(failure, refused.Failure);
        Assert.StartsWith(
            "The sealed value secrets.value of one does not open: ",
            refused.Message,
            StringComparison.Ordinal
        );
        Assert.DoesNotContain("first", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("second", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_secret_cannot_go_while_somebody_is_about_to_name_it()
    {
        var project = await service.NewProjectAsync();
        await project.SendAsync(new PutSecret.Command("one", "first"));
        await using var naming = await project.Database.OpenConnectionAsync(Token);
        await using var transaction = await naming.BeginTransactionAsync(Token);
        Assert.Equal(["one"], await SecretNames.ReadAsync(naming, project.Id, Token));

        await using var deleting = await project.Database.OpenConnectionAsync(Token);
        var refused = await Assert.ThrowsAsync<PostgresException>(() =>
            deleting.ExecuteAsync(
                "SELECT FROM secrets WHERE project_id = @ProjectId FOR UPDATE NOWAIT".With(
                    new { ProjectId = project.Id },
                    Token
                )
            )
        );

        Assert.Equal(PostgresErrorCodes.LockNotAvailable, refused.SqlState);
    }
}
