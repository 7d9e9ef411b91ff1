using Bellhop.Features.Accounts;
using Bellhop.Tests.Support;
using Xunit;

namespace Bellhop.Tests.Features.Accounts;

public sealed class ListUsersTests(ServiceFixture service)
{
    [Fact]
    public async Task Users_are_listed_with_their_projects_and_roles()
    {
        var project = await service.NewProjectAsync();
        var user = await TestUser.CreateAsync(service, project.Id, "developer");

        var found = (await service.SendAsync(Guid.Empty, new ListUsers.Query())).Unwrap().Users;

        var listed = found.Single(one => one.Id == user.Id);
        Assert.Equal(
            (user.Email, $"{project.Name}:developer", false),
            (listed.Email, listed.Memberships, listed.IsDisabled)
        );
    }
}
