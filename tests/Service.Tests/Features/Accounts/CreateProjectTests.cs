using Bellhop.Features.Accounts;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class CreateProjectTests(ServiceFixture service)
{
    [Fact]
    public async Task A_name_is_given_once()
    {
        var name = $"p{Guid.NewGuid():N}"[..20];

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

    private Task<Guid?> Find(string nameOrId) =>
        Projects.FindAsync(service.Database, nameOrId, TestContext.Current.CancellationToken);
}
